/** nginx configuration as an independent parser reads it. */
import { NginxParser, type NginxParseTreeNode } from 'nginx-conf/dist/src/parser.js';

/** Every directive's path, `http/server/location/return`; the entries of maps and types are data and count as `*`. */
export function directivesOf(text: string): Set<string> {
  const found = new Set<string>();
  const walk = (node: NginxParseTreeNode, path: string, inData: boolean): void => {
    for (const child of node.children ?? []) {
      const own = `${path}${inData ? '*' : child.name}`;
      found.add(own);
      walk(child, `${own}/`, child.name === 'map' || child.name === 'types');
    }
  };
  new NginxParser().parse(text, (error, tree) => {
    if (error) throw error;
    if (tree) walk(tree, '', false);
  });
  return found;
}
