import type { Json, JsonObject } from './json.ts';
import { type Section, sectionsOf, type Told, type WrittenFragment, type WrittenPart } from './merge.ts';
import type { Fragment } from './namespace.ts';
import { writeYaml } from './write-yaml.ts';

/** Writes what a fragment adds to each section of the merged document, so that joining needs no parsing. Pure. */

export function writeFragmentJson(service: string, fragment: Fragment): WrittenFragment {
  // The brackets around are the section's: what is inside can be put beside other services' parts.
  return written(service, fragment, (_, value) => JSON.stringify(value).slice(1, -1));
}

export function writeFragmentYaml(service: string, fragment: Fragment): WrittenFragment {
  return written(service, fragment, (section, value) => {
    const [top = '', inner] = section.split('/');
    const text = writeYaml({ [top]: inner === undefined ? value : { [inner]: value } });
    // The lines that open the section are written once, by the join.
    return text
      .split('\n')
      .slice(inner === undefined ? 1 : 2)
      .join('\n');
  });
}

function written(
  service: string,
  fragment: Fragment,
  write: (section: Section, value: Json[] | JsonObject) => string,
): WrittenFragment {
  const encoder = new TextEncoder();
  const result: WrittenFragment = {};
  for (const [section, value] of sectionsOf(service, fragment))
    result[section] = { text: encoder.encode(write(section, value)) };
  return result;
}

/** What the gateway says of a service, likewise: as JSON and as YAML. */
export function writeTold({ sources, leftOut }: Told): { json: WrittenPart; yaml: WrittenPart } {
  const encoder = new TextEncoder();
  const [json, yaml]: [WrittenPart, WrittenPart] = [{}, {}];
  for (const [section, items] of [['x-mcp-source', sources] as const, ['x-mcp-left-out', leftOut] as const]) {
    if (items.length === 0) continue;
    const lines = writeYaml({ [section]: items.map((item) => ({ ...item })) });
    json[section] = { text: encoder.encode(JSON.stringify(items).slice(1, -1)) };
    yaml[section] = { text: encoder.encode(lines.slice(lines.indexOf('\n') + 1)) };
  }
  return { json, yaml };
}
