/** What the recipes promise on any registry: run on the fake and on real ZooKeeper. */
import type { TestFn } from 'ava';
import { testDocuments } from './recipes/documents.ts';
import { testFormat } from './recipes/format.ts';
import { testLatch } from './recipes/latch.ts';
import { testMembership } from './recipes/membership.ts';
import type { OpenRegistry } from './recipes/shared.ts';
import { testView } from './recipes/view.ts';

export function testRecipes(test: TestFn, open: OpenRegistry): void {
  testFormat(test, open);
  testLatch(test, open);
  testDocuments(test, open);
  testMembership(test, open);
  testView(test, open);
}
