import type { RegistryClient } from '../../registrar/registry-client.ts';

/** The client with some of its methods replaced; the replacements may call the client itself. */
export function intercept(client: RegistryClient, replaced: Partial<RegistryClient>): RegistryClient {
  return new Proxy(client, {
    get(target, key) {
      if (Object.hasOwn(replaced, key)) return Reflect.get(replaced, key);
      const value: unknown = Reflect.get(target, key, target);
      return typeof value === 'function' ? value.bind(target) : value;
    },
  });
}
