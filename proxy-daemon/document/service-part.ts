import {
  documentSections,
  type Frame,
  frameJson,
  frameList,
  frameYaml,
  type Head,
  type Piece,
  type Told,
} from './merge.ts';
import { type PackedFragment, unpackFragment } from './pack-fragment.ts';
import { writeTold } from './write-fragment.ts';

/** Everything that the documents say of one service. Values as JSON: handing texts to a thread is cheaper than handing over values. */
export interface ServicePart {
  /** Of all that follows: equal ones need no writing. */
  digest: string;
  /** Empty: what is said of services that are not shown at all. */
  service: string;
  /** A Told. */
  told: string;
  /** Null where there is no document of it to show. */
  shown: {
    title: string;
    /** One service for the page that lists them: an item of services.json. */
    entry: string;
    written: PackedFragment;
  } | null;
}

type FormName = 'json' | 'yaml' | 'list';

/** One way to write what all parts say together. */
export interface Form {
  name: FormName;
  file: string;
  /** Where parts stand in it. */
  sections: readonly string[];
  /** By commas. */
  isSeparated: boolean;
  frame: (head: Head, has: (section: string) => boolean) => Frame;
}

const jsonForm: Form = {
  name: 'json',
  file: 'openapi.json',
  sections: documentSections,
  isSeparated: true,
  frame: frameJson,
};
const yamlForm: Form = {
  name: 'yaml',
  file: 'openapi.yaml',
  sections: documentSections,
  isSeparated: false,
  frame: frameYaml,
};
const listForm: Form = {
  name: 'list',
  file: 'services.json',
  sections: ['services'],
  isSeparated: true,
  frame: frameList,
};
/** What there is for one service alone. */
export const serviceForms: readonly Form[] = [jsonForm, yamlForm];
/** What there is of all services together. */
export const wholeForms: readonly Form[] = [...serviceForms, listForm];

/** A part whose pieces can be seen, by form and section. */
export interface OpenPart {
  part: ServicePart;
  pieces: Record<FormName, Readonly<Record<string, Piece | undefined>>>;
}

/** Reads what was handed over. Not kept: views of the pieces of thousands of services are what a thread would collect garbage among. */
export function openPart(part: ServicePart): OpenPart {
  const { json, yaml } = writeTold(JSON.parse(part.told) as Told);
  if (part.shown === null) return { part, pieces: { json, yaml, list: {} } };
  const fragment = unpackFragment(part.shown.written);
  const services = { text: new TextEncoder().encode(part.shown.entry) };
  return {
    part,
    pieces: { json: { ...fragment.json, ...json }, yaml: { ...fragment.yaml, ...yaml }, list: { services } },
  };
}
