/** The observed world as one value: complete, or it does not exist (a failed read is never an empty world). Plain JSON. */
import type { RegistryView } from '../../registrar/store/registry-view.ts';
import type { ProviderMachine, TemplateState } from '../../vm-factory/provider.ts';

export type { ObservedMachine, ObservedRegistration } from '../../registrar/store/registry-view.ts';

export interface Snapshot extends RegistryView {
  /** ms since the Unix epoch, the observer's clock. */
  at: number;
  /** Complete list of the provider. */
  provider: ProviderMachine[];
  limits: { machines: { limit: number; used: number } } | null;
  /** The provider's machines share one host's processors. */
  sharedHost?: boolean;
  /** Why no machine can be made of these declared images now; absent: nothing is known against any. */
  missingImages?: Record<string, string>;
  /** How the wanted service templates are, by name; null: the provider has no such thing; absent: it was not asked. */
  templates?: Record<string, TemplateState> | null;
}
