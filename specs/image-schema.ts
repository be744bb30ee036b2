/** The shape of a declared image: what it starts from, which packages it holds, what is done in it step by step. */
import { z } from 'zod';
import { choice, duration, map, text } from './schema-parts.ts';

/** How much one image may declare. */
const most = { packages: 500, steps: 100, script: 65_536 } as const;

export const imageName = z
  .string({ error: 'must be the name of an image' })
  .regex(/^[A-Za-z0-9][A-Za-z0-9._:/-]{0,199}$/, 'must be the name of an image');

const filePath = text('must be a path').min(1, 'must not be empty');

const copy = map({
  from: filePath.describe('A file or directory beside this file.'),
  to: z
    .string({ error: 'must be an absolute path such as /etc/motd' })
    .regex(/^(\/[A-Za-z0-9@+_.-]+)+$/, 'must be an absolute path such as /etc/motd')
    .max(200, 'must have at most 200 characters')
    .refine((path) => !/\/\.\.?(\/|$)/.test(path), 'must be a path without /./ or /../')
    .describe('Where the file, or what the directory holds, is in the image.'),
});

const step = map({
  run: text('must be a shell script', most.script)
    .min(1, 'must not be empty')
    .optional()
    .describe('A shell script, run as root in the image; it ends at the first command that fails.'),
  puppet: filePath.optional().describe('A Puppet manifest beside this file, applied in the image.'),
  copy: copy.optional().describe('Copies a file or directory into the image.'),
  timeout: duration(1000, 86_400_000).optional().describe('The longest this step may take. Default: 10m.'),
})
  .superRefine(({ run, puppet, copy: copied }, context) => {
    const forms = [run, puppet, copied].filter((form) => form !== undefined);
    if (forms.length !== 1) context.addIssue({ code: 'custom', message: 'must have one of run, puppet and copy' });
  })
  .meta({ oneOf: ['run', 'puppet', 'copy'].map((form) => ({ required: [form] })) });

export const image = map({
  base: choice(['minimal', 'debian'])
    .optional()
    .describe('minimal: busybox and Node. debian (the default): the Debian release of the machine that bakes.'),
  packages: z
    .array(
      z
        .string({ error: 'must be the name of a Debian package' })
        .regex(/^[a-z0-9][a-z0-9+.-]{1,99}$/, 'must be the name of a Debian package'),
      { error: 'must be a list such as [nginx-light, curl]' },
    )
    .max(most.packages, `must have at most ${most.packages} items`)
    .optional()
    .describe('Debian packages to install, without those that they only recommend.'),
  steps: z
    .array(step, { error: 'must be a list of steps' })
    .max(most.steps, `must have at most ${most.steps} items`)
    .optional()
    .describe('What is done in the image after its packages are installed, in this order.'),
}).superRefine(({ base, packages = [], steps = [] }, context) => {
  if (base !== 'minimal') return;
  if (packages.length > 0)
    context.addIssue({ code: 'custom', path: ['packages'], message: 'must not be here: packages need base: debian' });
  for (const [at, { puppet }] of steps.entries())
    if (puppet !== undefined)
      context.addIssue({
        code: 'custom',
        path: ['steps', at, 'puppet'],
        message: 'must not be here: Puppet needs base: debian',
      });
});

/** Scalars of an image that are text whatever they look like. */
export function isTextOfImage([key, , ofStep]: readonly (string | number)[]): boolean {
  return key === 'packages' || ofStep === 'run' || ofStep === 'puppet' || ofStep === 'copy';
}
