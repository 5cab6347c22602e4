// SPDX-License-Identifier: Apache-2.0
// The commands about keys: names, arguments and options. What each does is loaded when it runs.
import type { Command } from 'commander';
import { lazy } from './lazy.ts';

/** Adds `key`, `key-proxy`, `key-provider` and `key-approver`. */
export function registerKeys(program: Command): void {
  registerSwitch(program);
  registerProxy(program);
  registerCustody(program);
  registerRecovery(program);
}

function registerSwitch(program: Command): void {
  const key = program.command('key').description('the keys that protect a tenant’s data');
  key
    .command('show <residency>')
    .description('the customer key and what stands under it, with their states')
    .action(lazy(async () => (await import('./key.ts')).runKeyShow));
  registerVersions(key);
  registerRequests(key);
  for (const verb of ['disable', 'enable'] as const) {
    key
      .command(`${verb} <residency> [keyId]`)
      .description(`${verb} the customer key (or the key named)`)
      .option('--yes', 'do not ask')
      .action(
        lazy(async () => {
          const { runKeyDisable, runKeyEnable } = await import('./key.ts');
          return verb === 'disable' ? runKeyDisable : runKeyEnable;
        }),
      );
  }
}

function registerRequests(key: Command): void {
  key
    .command('pen <file>')
    .description('make the key that you sign requests with; prints what an operator pins')
    .action(lazy(async () => (await import('./key-requests.ts')).runKeyPen));
  key
    .command('request <residency>')
    .description('ask for what two people must sign, and sign it as the first')
    .requiredOption('--kind <kind>', 'end, destroy, move or staleness')
    .requiredOption('--pen <file>', 'your key for signing requests')
    .option('--key <id>', 'destroy: which key')
    .option('--version <number>', 'destroy: which version of it')
    .option('--provider <name>', 'move: to which provider of the custody file')
    .option('--ms <count>', 'staleness: milliseconds')
    .option('--yes', 'do not ask')
    .action(lazy(async () => (await import('./key-requests.ts')).runKeyRequest));
  key
    .command('approve <residency> <request>')
    .description('sign somebody else’s request; the second signature has it carried out')
    .requiredOption('--pen <file>', 'your key for signing requests')
    .option('--yes', 'do not ask')
    .action(lazy(async () => (await import('./key-requests.ts')).runKeyApprove));
  key
    .command('cancel <residency> <request>')
    .description('take a request back')
    .action(lazy(async () => (await import('./key-requests.ts')).runKeyCancel));
  key
    .command('requests <residency>')
    .description('requests, who signed them, and what each would do')
    .action(lazy(async () => (await import('./key-requests.ts')).runKeyRequests));
}

function registerVersions(key: Command): void {
  key
    .command('rotate <residency> <key>')
    .description('a new version of a customer key or tenant key; data is not touched')
    .option('--wait', 'until all is wrapped anew')
    .action(lazy(async () => (await import('./key-requests.ts')).runKeyRotate));
  key
    .command('report <residency>')
    .description('what each version still protects, and what could be destroyed')
    .action(lazy(async () => (await import('./key-requests.ts')).runKeyReport));
  key
    .command('staleness <residency> <ms>')
    .description('a shorter staleness, at once; 0 asks for every use')
    .action(lazy(async () => (await import('./key-requests.ts')).runKeyStaleness));
}

function withSetUp(command: Command): Command {
  return command
    .requiredOption('--directory <directory>', 'where its files lie; made when absent')
    .requiredOption('--name <name>', 'DNS name that callers use')
    .requiredOption('--client-cert <file>', 'certificate of the cell’s key service')
    .option('--client-ca <file>', 'authority that signed it (default: the certificate itself)')
    .requiredOption('--library <file>', 'the PKCS#11 library of your HSM')
    .requiredOption('--token-label <label>', 'label of the token')
    .requiredOption('--pin-file <file>', 'file with the token’s PIN')
    .requiredOption('--key-id <id>', 'what the key will be called')
    .option('--path <prefix>', 'what stands before /kms/xks/v1 in the path', '')
    .option('--host <host>', 'where it listens', '0.0.0.0')
    .option('--port <number>', 'where it listens', '443')
    .option('--environment <pair...>', 'NAME=value for the library');
}

function registerProxy(program: Command): void {
  const proxy = program
    .command('key-proxy')
    .description('your own key service for HYOK: a key that never leaves your HSM');
  withSetUp(proxy.command('start'))
    .description('set up what is not there yet, then serve until Ctrl-C')
    .action(lazy(async () => (await import('./key-tools.ts')).runKeyProxyStart));
  withSetUp(proxy.command('init'))
    .description('set up only')
    .action(lazy(async () => (await import('./key-tools.ts')).runKeyProxyInit));
  proxy
    .command('serve <directory>')
    .description('serve what `init` set up')
    .action(lazy(async () => (await import('./key-tools.ts')).runKeyProxyServe));
  proxy
    .command('key <verb> <directory> [id]')
    .description('list, create, rotate, disable, enable or destroy keys of the token')
    .option('--yes', 'destroy without asking')
    .action(lazy(async () => (await import('./key-tools.ts')).runKeyProxyKey));
}

function registerRecovery(program: Command): void {
  const recovery = program
    .command('key-recovery')
    .description('ways back from losses: shares of customer keys in files, a lost replica');
  recovery
    .command('split')
    .requiredOption('--keys <directory>', 'the provider’s directory of keys')
    .requiredOption('--shares <count>', 'how many people')
    .requiredOption('--threshold <count>', 'how many of them are needed')
    .requiredOption('--output <directory>', 'where the sealed file and the shares are written')
    .action(lazy(async () => (await import('./key-recovery.ts')).runKeyRecoverySplit));
  recovery
    .command('replace-replica')
    .description('a new replica of the erasable store; the key service must be stopped')
    .requiredOption('--survivor <directory...>', 'every replica that is left')
    .requiredOption('--replacement <directory>', 'an empty, private directory')
    .action(lazy(async () => (await import('./key-recovery.ts')).runReplaceReplica));
  recovery
    .command('restore')
    .requiredOption('--sealed <file>', 'recovery.sealed')
    .requiredOption('--share <file...>', 'files of enough shares')
    .requiredOption('--output <directory>', 'where the keys go; must not exist')
    .action(lazy(async () => (await import('./key-recovery.ts')).runKeyRecoveryRestore));
}

function registerCustody(program: Command): void {
  program
    .command('key-provider')
    .description('where a tenant’s customer key may lie, noted beside the cell’s key service')
    .command('add <name>')
    .requiredOption('--cell-config <file>', 'the cell’s cell.yaml')
    .option('--enrolment <file>', 'what the customer’s proxy printed (enrolment.json)')
    .option('--secret-file <file>', 'its secret access key (cell.secret)')
    .option('--provider <file>', 'any other provider, as YAML')
    .option('--home', 'make the tenant’s first key there')
    .option('--with-place-key', 'double key: one of the cell’s place is needed as well')
    .action(lazy(async () => (await import('./key-tools.ts')).runKeyProviderAdd));
  program
    .command('key-approver')
    .description('who signs for a tenant’s keys, pinned beside the cell’s key service')
    .command('add <name>')
    .requiredOption('--cell-config <file>', 'the cell’s cell.yaml')
    .requiredOption('--key <base64>', 'Ed25519 public key')
    .action(lazy(async () => (await import('./key-tools.ts')).runKeyApproverAdd));
}
