import type { OpenAPIV2 } from 'openapi-types';
import { convertObj } from 'swagger2openapi';
import { isMcpError, McpError } from '../../specs/errors.ts';
import { spellOutDiscriminators } from './discriminators.ts';
import { formatFaults } from './format-validators.ts';
import { type Kind, transform } from './grammar.ts';
import { entriesOf, type JsonObject } from './json.ts';
import { type BrokenReference, localiseRefs, placePathItems } from './local-refs.ts';
import { withoutSchemaFaults } from './schema-faults.ts';
import { shieldData, unshieldData } from './shield-data.ts';
import { upgradeTo31 } from './upgrade-to-31.ts';

/**
 * Any supported document (Swagger 2.0, OpenAPI 3.0 or 3.1) as OpenAPI 3.1.0 whose references all point into its own
 * components. The document is validated as it came. Reads nothing but its argument, which stays as it is.
 *
 * Throws DOCUMENT_VERSION (not one of those formats), DOCUMENT_INVALID (does not follow its format), DOCUMENT_REMOTE_REF,
 * DOCUMENT_DANGLING_REF, DOCUMENT_REF_CYCLE.
 */
export async function normaliseDocument(document: JsonObject): Promise<JsonObject> {
  refuseUnknownVersion(document);
  const placed = document.swagger === undefined ? placePathItems(document) : document;
  validateDocument(placed);
  const openapi3 = document.swagger === undefined ? placed : await convertSwagger2(document);
  const normalised = rewriteOpenApi3(openapi3);
  // What was converted is checked again: one service's odd document must not make the merged one invalid.
  if (document.swagger !== undefined) validateDocument(normalised);
  return normalised;
}

/**
 * The pure part, after conversion and validation: OpenAPI 3.0 or 3.1 to 3.1.0 with local references. Throws DOCUMENT_*_REF*, of
 * which DOCUMENT_DANGLING_REF only without `onBroken`, which says what stands there instead.
 */
export function rewriteOpenApi3(document: JsonObject, onBroken?: BrokenReference): JsonObject {
  const own = transform(document, 'document', cleaned);
  return spellOutDiscriminators(upgradeTo31(localiseRefs(own, onBroken)));
}

/** What begins with `x-mcp-` is said by the gateway only. Authentication schemes are named without regard to case (RFC 9110, 11.1). */
function cleaned(node: JsonObject, kind: Kind): JsonObject {
  const own = Object.keys(node).some((key) => key.startsWith('x-mcp-'))
    ? Object.fromEntries(entriesOf(node).filter(([key]) => !key.startsWith('x-mcp-')))
    : node;
  return kind === 'securityScheme' && typeof own.scheme === 'string'
    ? { ...own, scheme: own.scheme.toLowerCase() }
    : own;
}

/**
 * Checks the document against the JSON Schema of its format. References are left alone: they are checked by localiseRefs,
 * which knows where a `$ref` is one, reads nothing from outside, and can't be made to expand a small document into a huge one.
 */
export function validateDocument(document: JsonObject): void {
  const faults = formatFaults(withoutSchemaFaults(document));
  if (faults.length === 0) return;
  throw new McpError('DOCUMENT_INVALID', `not valid: ${faults.slice(0, 4).join('; ').slice(0, 400)}`, {
    hint: 'Check the document with an OpenAPI validator.',
  });
}

/** Throws DOCUMENT_VERSION where the document is in none of the formats that are known. */
export function refuseUnknownVersion(document: JsonObject): void {
  const version = document.swagger ?? document.openapi;
  if (document.swagger === '2.0' || (typeof version === 'string' && /^3\.[01]\.\d+$/.test(version))) return;
  throw new McpError(
    'DOCUMENT_VERSION',
    `neither Swagger 2.0 nor OpenAPI 3.0 or 3.1: ${JSON.stringify(version)?.slice(0, 40)}`,
  );
}

/** Swagger 2.0 to OpenAPI 3.0. Rejects with DOCUMENT_INVALID. */
export async function convertSwagger2(document: JsonObject): Promise<JsonObject> {
  try {
    const { openapi } = await convertObj(shieldData(document) as unknown as OpenAPIV2.Document, {
      patch: true,
      warnOnly: true,
      anchors: true,
      resolve: false,
      // It would be made from the document otherwise, for nothing.
      text: ' ',
    });
    return unshieldData(openapi as unknown as JsonObject);
  } catch (cause) {
    if (isMcpError(cause)) throw cause;
    throw new McpError(
      'DOCUMENT_INVALID',
      `can't be converted from Swagger 2.0: ${(cause as Error).message.slice(0, 300)}`,
      {
        cause,
      },
    );
  }
}
