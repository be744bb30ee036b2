/** What people are told where KVM is of no use. */
import test from 'ava';
import { kvmTrouble } from '../../../vm-factory/qemu/accelerator.ts';

test('why there is no KVM is said in words, not in those of QEMU’s sources', (t) => {
  const said = (what: string, ended: string | number = 1) => kvmTrouble(`qemu-system-x86_64: ${what}\n`, ended);
  t.is(
    said(
      'Could not access KVM kernel module: No such file or directory\nfailed to initialize kvm: No such file or directory',
    ),
    'there is no /dev/kvm',
  );
  t.is(said('Could not access KVM kernel module: Permission denied'), 'this user may not use /dev/kvm');
  const assertion = "../../target/i386/kvm/kvm.c:3183: kvm_buf_set_msrs: Assertion `ret == nmsrs' failed.";
  t.is(said(assertion, 'SIGABRT'), 'QEMU gives up with it');
  t.is(said('out of luck', 7), 'QEMU ends with 7');
});
