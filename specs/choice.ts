/** What decides which version of a service a request goes to, beside the weights: its nouns, and what their texts may hold. */

export interface ChoiceSpec {
  /** A client keeps its version while the weights stand: by a cookie, by its address, or by what is in this header. */
  sticky?: { by: 'cookie' | 'client' } | { by: 'header'; name: string };
  /** Header by which a request names the version that is to answer it. */
  override?: string;
  /** Operations whose traffic is shared out in another way. The first that fits a request counts. */
  split?: OperationSplit[];
  /** GET and HEAD requests are sent to this version too, once they are answered, so many in a hundred; what it answers is compared. */
  mirror?: { to: string; weight: number };
}

export interface OperationSplit {
  method: string;
  /** As in the document: `/zones/{id}`. */
  path: string;
  to: string;
  /** Percent of the operation's requests. */
  weight: number;
}

/** The header of `override: true`. */
export const usualOverride = 'X-MCP-Version';

export const headerName = /^[A-Za-z][A-Za-z0-9-]{0,63}$/;

export const splitMethods = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'] as const;

/** Path templates of what OpenAPI allows, but for the characters that are of use to nobody. */
export const pathTemplate = /^(?:\/(?:[A-Za-z0-9._~%:@-]|\{[A-Za-z0-9_.-]{1,64}\})*){1,20}$/;

export const longestTemplate = 200;
