/**
 * What a comparison of two documents of one service finds, and the rule behind each finding. Pure.
 *
 * The rules are our own; their sources: `oasdiff <id>` is a check of oasdiff's documented list (oasdiff.com/docs/breaking-changes,
 * checked against its rules of August 2026), `JSON Schema` is Draft 2020-12's validation vocabulary read as set inclusion (what a caller
 * may send must stay in the set; what comes back must not leave it), `OpenAPI` is the 3.1.0 specification. Where we judge more
 * strictly or more leniently than the source, decision 0060 says why.
 */

/** Breaking: a caller that keeps to the live document can fail. Risky: it may, and the documents alone don't tell. Safe: it can't. */
export type Severity = 'breaking' | 'risky' | 'safe';

export interface OperationName {
  /** Lower case. */
  method: string;
  /** As its document writes it (the live one's, where it is there). */
  path: string;
}

export interface Finding {
  kind: FindingKind;
  severity: Severity;
  where: {
    /** The operations that a caller meets this in; empty where it is in none, such as a webhook. */
    operations: OperationName[];
    /** JSON Pointer into the live document, where it has the place. */
    live?: string;
    /** JSON Pointer into the next document, where it has the place. */
    next?: string;
  };
  /** One sentence for people, with the place's name. */
  words: string;
  /** Where the rule comes from. */
  source: string;
}

/** A finding before it is known which operations reach it. */
export type LocalFinding = Omit<Finding, 'where'> & { live?: string; next?: string };

const inclusion = 'JSON Schema, set inclusion';

/** Every kind, with its severity and its source. */
const rules = {
  'operation-removed': ['breaking', 'oasdiff api-removed-without-deprecation'],
  'operation-added': ['safe', 'oasdiff endpoint-added'],
  'operation-deprecated': ['safe', 'oasdiff endpoint-deprecated'],
  'operation-id-changed': ['safe', 'oasdiff api-operation-id-removed'],
  'path-parameter-renamed': ['safe', 'OpenAPI, Path Templating'],
  'webhook-removed': ['breaking', 'oasdiff webhook-removed'],
  'webhook-added': ['safe', 'oasdiff webhook-added'],
  'callback-removed': ['risky', 'OpenAPI, Callback Object'],
  'callback-added': ['safe', 'OpenAPI, Callback Object'],
  'parameter-removed': ['risky', 'oasdiff request-parameter-removed'],
  'parameter-required-added': ['breaking', 'oasdiff new-required-request-parameter'],
  'parameter-added': ['safe', 'oasdiff new-optional-request-parameter'],
  'parameter-became-required': ['breaking', 'oasdiff request-parameter-became-required'],
  'parameter-moved': ['breaking', 'OpenAPI, Parameter Object: a parameter is its name and location'],
  'parameter-serialization-changed': ['breaking', 'OpenAPI, Parameter Object: style, explode'],
  'parameter-characters-narrowed': ['risky', 'OpenAPI, Parameter Object: allowReserved, allowEmptyValue'],
  'request-body-required-added': ['breaking', 'oasdiff added-required-request-body'],
  'request-body-added': ['safe', 'oasdiff request-optional-body-added'],
  'request-body-removed': ['breaking', 'oasdiff request-body-removed'],
  'request-body-became-required': ['breaking', 'oasdiff request-body-became-required'],
  'request-content-type-removed': ['breaking', 'oasdiff request-body-media-type-removed'],
  'request-encoding-changed': ['risky', 'OpenAPI, Encoding Object'],
  'response-status-removed': ['breaking', 'oasdiff response-success-status-removed'],
  'response-error-status-removed': ['safe', 'oasdiff response-non-success-status-removed'],
  'response-status-added': ['risky', 'OpenAPI, Responses Object'],
  'response-error-status-added': ['safe', 'oasdiff response-non-success-status-added'],
  'response-content-type-removed': ['breaking', 'oasdiff response-media-type-removed'],
  'response-content-type-added': ['safe', 'oasdiff response-media-type-added'],
  'response-header-removed': ['breaking', 'oasdiff required-response-header-removed'],
  'response-optional-header-removed': ['risky', 'oasdiff optional-response-header-removed'],
  'response-header-became-optional': ['breaking', 'oasdiff response-header-became-optional'],
  'security-stricter': ['breaking', 'oasdiff api-security-removed, api-security-scope-added'],
  'security-looser': ['safe', 'oasdiff api-security-added'],
  'security-scheme-changed': ['risky', 'oasdiff api-security-component-oauth-token-url-changed'],
  'request-type-narrowed': ['breaking', 'oasdiff request-property-type-changed'],
  'request-became-not-nullable': ['breaking', 'oasdiff request-property-became-not-nullable'],
  'request-became-enum': ['breaking', 'oasdiff request-property-became-enum'],
  'request-enum-value-removed': ['breaking', 'oasdiff request-property-enum-value-removed'],
  'request-range-narrowed': ['breaking', 'oasdiff request-property-max-decreased, -min-increased'],
  'request-length-narrowed': ['breaking', 'oasdiff request-property-max-length-decreased'],
  'request-pattern-added': ['breaking', 'oasdiff request-property-pattern-added'],
  'request-pattern-changed': ['risky', 'oasdiff request-property-pattern-changed'],
  'request-format-narrowed': ['breaking', 'oasdiff request-property-type-changed'],
  'request-encoding-keyword-changed': ['breaking', 'oasdiff request-property-content-encoding-changed'],
  'request-property-required-added': ['breaking', 'oasdiff new-required-request-property'],
  'request-property-became-required': ['breaking', 'oasdiff request-property-became-required'],
  'request-property-added': ['safe', 'oasdiff new-optional-request-property'],
  'request-property-removed': ['risky', 'oasdiff request-property-removed'],
  'request-property-refused': ['breaking', `${inclusion}: additionalProperties`],
  'request-property-became-read-only': ['risky', 'OpenAPI, Schema Object: readOnly'],
  'request-additional-closed': ['breaking', `${inclusion}: additionalProperties`],
  'request-additional-narrowed': ['risky', `${inclusion}: additionalProperties`],
  'request-constraint-added': ['breaking', 'oasdiff request-property-if-added, -contains-added, -property-names-added'],
  'request-alternative-removed': ['breaking', 'oasdiff request-property-one-of-removed'],
  'request-discriminator-value-removed': ['breaking', 'OpenAPI, Discriminator Object'],
  'response-type-widened': ['breaking', 'oasdiff response-property-type-generalized'],
  'response-became-nullable': ['breaking', 'oasdiff response-property-became-nullable'],
  'response-enum-removed': ['risky', `${inclusion}: enum`],
  'response-enum-value-added': ['risky', 'oasdiff response-property-enum-value-added'],
  'response-range-widened': ['breaking', 'oasdiff response-property-max-increased, -min-decreased'],
  'response-length-widened': ['breaking', 'oasdiff response-property-max-length-increased'],
  'response-pattern-changed': ['risky', 'oasdiff response-property-pattern-changed'],
  'response-format-widened': ['breaking', 'oasdiff response-property-type-generalized'],
  'response-encoding-keyword-changed': ['breaking', 'oasdiff response-property-content-encoding-changed'],
  'response-property-removed': ['breaking', 'oasdiff response-required-property-removed'],
  'response-optional-property-removed': ['risky', 'oasdiff response-optional-property-removed'],
  'response-property-became-optional': ['breaking', 'oasdiff response-property-became-optional'],
  'response-property-added': ['safe', 'oasdiff response-optional-property-added'],
  'response-property-added-to-closed': ['risky', `${inclusion}: additionalProperties`],
  'response-additional-widened': ['risky', `${inclusion}: additionalProperties`],
  'response-constraint-removed': ['risky', 'oasdiff response-property-if-removed, -contains-removed'],
  'response-alternative-added': ['breaking', 'oasdiff response-property-one-of-added'],
  'response-discriminator-value-added': ['breaking', 'OpenAPI, Discriminator Object'],
  'discriminator-changed': ['breaking', 'OpenAPI, Discriminator Object'],
  'constraint-changed': ['risky', `${inclusion}: undecidable in general`],
  'alternatives-overlap': ['risky', 'JSON Schema, oneOf: exactly one may match'],
  undecided: ['risky', `${inclusion}: undecidable in general`],
  incomplete: ['risky', 'a bound of this comparison'],
} as const satisfies Record<string, readonly [Severity, string]>;

export type FindingKind = keyof typeof rules;

/** Every kind there is, for tests and documentation. */
export const findingKinds = Object.keys(rules) as FindingKind[];

/** A finding of this kind; `severity` only where it differs from the rule's own. */
export function finding(
  kind: FindingKind,
  words: string,
  place: { live?: string; next?: string },
  severity: Severity = rules[kind][0],
): LocalFinding {
  return { kind, severity, words, source: rules[kind][1], ...place };
}
