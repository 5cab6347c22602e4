// SPDX-License-Identifier: Apache-2.0
// Every command's name, arguments and options. What it does is in the file named here and is loaded when
// the command runs.
import type { Command } from 'commander';
import { lazy } from './lazy.ts';
import { registerKeys } from './register-keys.ts';
import { registerRights } from './register-rights.ts';
import { registerTransfers } from './register-transfers.ts';

/** Adds all commands to the program. */
export function registerCommands(program: Command): void {
  registerSystem(program);
  registerLaw(program);
  registerTenancy(program);
  registerTerms(program);
  registerRecords(program);
  registerKeys(program);
  registerRights(program);
  registerTrust(program);
  registerEvidence(program);
  registerWitness(program);
  registerOperation(program);
}

function registerSystem(program: Command): void {
  program
    .command('demo')
    .alias('up')
    .description('start control plane, router and four cells, load a retailer, tell the story')
    .option('--once', 'stop everything at the end')
    .option('--no-story', 'only start')
    .option('--port <number>', 'first of the ports used', '7400')
    .option('--customers <count>', 'customers to generate', '5100')
    .option('--orders <count>', 'orders to generate', '20400')
    .option('--charter <file>', 'charter to start with (default: charters/retailer.yaml)')
    .action(lazy(async () => (await import('./demo.ts')).runDemo));
  program
    .command('status')
    .description('show which parts answer and whether the law is fresh')
    .action(lazy(async () => (await import('./status.ts')).runStatus));
  program
    .command('check <residency>')
    .description('walk all that a cell on this machine keeps; anything wrong exits with 4')
    .option('--cell-config <file>', 'the cell’s configuration (default: the demonstration’s)')
    .action(lazy(async () => (await import('./check.ts')).runCheck));
  const config = program.command('config').description('show the client configuration');
  config
    .command('show')
    .option('--origin', 'say for each value where it comes from')
    .action(lazy(async () => (await import('./config.ts')).runConfigShow));
}

function registerLaw(program: Command): void {
  const atlas = program.command('atlas').description('the world’s law as cited data');
  atlas
    .command('show <jurisdiction>')
    .description('what is known of a country, a part of one, or a grouping')
    .option('--date <date>', 'as it stood on this day')
    .action(lazy(async () => (await import('./atlas.ts')).runAtlasShow));
  atlas
    .command('transfers')
    .description('under what personal data may go from one place to another')
    .requiredOption('--from <jurisdiction>')
    .requiredOption('--to <jurisdiction>')
    .option('--date <date>', 'as it stood on this day')
    .action(lazy(async () => (await import('./atlas.ts')).runAtlasTransfers));
  registerCharter(program);
  program
    .command('decide <residency>')
    .description('ask a cell about a flow; a denial exits with 3')
    .requiredOption('--flow <file>', 'flow as JSON or YAML')
    .action(lazy(async () => (await import('./decide.ts')).runDecide));
}

/** For options that can be given several times. */
const addTo = (value: string, before: readonly string[]): readonly string[] => [...before, value];

function registerCharter(program: Command): void {
  const charter = program
    .command('charter')
    .description('read, check, test, prove and compare charters');
  charter
    .command('check <file>')
    .description('find every mistake, with line and column')
    .option('--set <name=value>', 'what a variable of the charter stands for', addTo, [])
    .option('--variables <file>', 'what its variables stand for, as YAML')
    .action(lazy(async () => (await import('./charter.ts')).runCharterCheck));
  charter
    .command('prove <file>')
    .description('prove the declared properties over every flow; a broken one exits with 4')
    .option('--days <count>', 'tell grounds that end within so many days', '90')
    .option('--date <date>', 'count the days from this one (default: today)')
    .option('--set <name=value>', 'what a variable of the charter stands for', addTo, [])
    .option('--variables <file>', 'what its variables stand for, as YAML')
    .action(lazy(async () => (await import('./charter-prove.ts')).runCharterProve));
  charter
    .command('test <file>')
    .description('run the tests beside the charter (<name>.test.yaml)')
    .option('--tests <file>', 'tests in another place')
    .option('--set <name=value>', 'what a variable of the charter stands for', addTo, [])
    .option('--variables <file>', 'what its variables stand for, as YAML')
    .action(lazy(async () => (await import('./charter-test.ts')).runCharterTest));
  charter
    .command('diff <old> <new>')
    .description('which flows flip, in words, widenings first; anything wider exits with 3')
    .option('--limit <count>', 'most differences told of each kind', '20')
    .option('--cells <list>', 'ask these running cells what it means for stored records, or all')
    .option('--draft <file>', 'write the moves, relabellings and erasures that would heal it')
    .option('--set <name=value>', 'what a variable of the charter stands for', addTo, [])
    .option('--variables <file>', 'what its variables stand for, as YAML')
    .action(lazy(async () => (await import('./charter-diff.ts')).runCharterDiff));
  charter
    .command('report <file>')
    .description('records of processing (GDPR Art. 30) and the register of transfers')
    .requiredOption(
      '--kind <kind>',
      'article-30-controller, article-30-processor or transfer-register',
    )
    .option('--format <format>', 'md, csv or json', 'md')
    .option('--date <date>', 'as the law stands on this day (default: today)')
    .option('--set <name=value>', 'what a variable of the charter stands for', addTo, [])
    .option('--variables <file>', 'what its variables stand for, as YAML')
    .action(lazy(async () => (await import('./charter-report.ts')).runCharterReport));
  charter
    .command('explain <file>')
    .description('say what the charter says about a flow, and why')
    .requiredOption('--flow <file>', 'flow as JSON or YAML')
    .option('--set <name=value>', 'what a variable of the charter stands for', addTo, [])
    .option('--variables <file>', 'what its variables stand for, as YAML')
    .action(lazy(async () => (await import('./charter.ts')).runCharterExplain));
  charter
    .command('compile <file>')
    .description('write the charter in another language')
    .requiredOption('--to <language>', 'cedar, rego or json')
    .option('--set <name=value>', 'what a variable of the charter stands for', addTo, [])
    .option('--variables <file>', 'what its variables stand for, as YAML')
    .action(lazy(async () => (await import('./charter.ts')).runCharterCompile));
  registerCharterChanges(charter);
}

function registerCharterChanges(charter: Command): void {
  charter
    .command('approve [file]')
    .description('sign that a charter may become law; widenings need two people')
    .requiredOption('--key-file <file>', 'the approver’s private key')
    .requiredOption('--output <file>', 'where to write the approval')
    .option('--serial <number>', 'the serial it is for (default: the control plane’s next)')
    .option('--way-back', 'sign the present charter as the way back from a rollout')
    .option('--set <name=value>', 'what a variable of the charter stands for', addTo, [])
    .option('--variables <file>', 'what its variables stand for, as YAML')
    .action(lazy(async () => (await import('./charter-approve.ts')).runCharterApprove));
  charter
    .command('apply <file>')
    .description('make a charter law in every cell; anything wider needs approvals')
    .option('--approval <file...>', 'what `charter approve` wrote')
    .option('--wait <seconds>', 'how long to wait for the cells', '10')
    .option('--dry-run', 'only say what would change')
    .option('--yes', 'do not ask')
    .option('--set <name=value>', 'what a variable of the charter stands for', addTo, [])
    .option('--variables <file>', 'what its variables stand for, as YAML')
    .action(lazy(async () => (await import('./charter-apply.ts')).runCharterApply));
  charter
    .command('suspend <mechanism>')
    .description('stop everything that rests on a mechanism, in every cell; tells what it touches')
    .option('--dry-run', 'only tell what it would touch')
    .option('--wait <seconds>', 'how long to wait for the cells', '10')
    .option('--yes', 'do not ask')
    .action(lazy(async () => (await import('./charter-suspend.ts')).runCharterSuspend));
  registerRollout(charter.command('rollout').description('bring a charter out, cell by cell'));
}

function registerRollout(rollout: Command): void {
  rollout
    .command('start <file>')
    .description(
      'let a charter decide a share beside the law, in one cell; the stricter answer holds',
    )
    .requiredOption('--first <cell>', 'the first cell, such as eu-de')
    .option('--share <percent>', 'of decisions in which both decide', '5')
    .option('--max-errors <count>', 'failures of the new charter before it stops by itself', '0')
    .option('--max-stricter <percent>', 'of those decisions that may become stricter', '1')
    .option('--max-micros <count>', 'average time for a decision, in microseconds', '1000')
    .option('--min-decisions <count>', 'decisions before shares and averages are judged', '100')
    .option('--approval <file...>', 'what `charter approve` wrote')
    .option('--way-back <file...>', 'what `charter approve --way-back` wrote')
    .option('--set <name=value>', 'what a variable of the charter stands for', addTo, [])
    .option('--variables <file>', 'what its variables stand for, as YAML')
    .action(lazy(async () => (await import('./charter-rollout.ts')).runRolloutStart));
  rollout
    .command('show')
    .description('where the newest rollout stands, and what was counted')
    .option('--all', 'earlier ones as well')
    .action(lazy(async () => (await import('./charter-rollout.ts')).runRolloutShow));
  rollout
    .command('advance')
    .description('to the next step: canary-everywhere, first-cell, promoted')
    .option('--to <step>', 'to this step')
    .option('--approval <file...>', 'what `charter approve` wrote')
    .option('--wait <seconds>', 'how long to wait for the cells', '10')
    .option('--yes', 'do not ask')
    .action(lazy(async () => (await import('./charter-rollout.ts')).runRolloutAdvance));
  rollout
    .command('back')
    .description('make the charter before law again, under a new serial')
    .option('--approval <file...>', 'approvals of the charter before, where it is wider')
    .option('--wait <seconds>', 'how long to wait for the cells', '10')
    .option('--yes', 'do not ask')
    .action(lazy(async () => (await import('./charter-rollout.ts')).runRolloutBack));
}

function registerTerms(program: Command): void {
  const terms = program
    .command('terms')
    .description('contract terms: what a customer and the operator agree on top of the charter');
  terms
    .command('draft <terms>')
    .description('make a draft that both sides can sign')
    .requiredOption('--tenant-id <id>', 'whose terms they are')
    .requiredOption('--provider <key>', 'the operator’s public key: a PEM file, or base64')
    .requiredOption('--customer <key>', 'the customer’s public key: a PEM file, or base64')
    .requiredOption('--output <file>', 'where to write the draft')
    .option('--serial <number>', 'the serial of the terms (default: the tenant’s next)')
    .action(lazy(async () => (await import('./terms.ts')).runTermsDraft));
  for (const [verb, what] of [
    ['sign <draft>', 'sign a draft, as the first side'],
    ['countersign <agreement>', 'sign what the other side has signed'],
  ] as const) {
    terms
      .command(verb)
      .description(what)
      .requiredOption('--key-file <file>', 'the private key of one side')
      .requiredOption('--output <file>', 'where to write the agreement')
      .action(
        lazy(async () => {
          const { runTermsSign, runTermsCountersign } = await import('./terms.ts');
          return verb.startsWith('sign') ? runTermsSign : runTermsCountersign;
        }),
      );
  }
  terms
    .command('check <agreement>')
    .description('verify both signatures, and prove that the terms only narrow')
    .option('--charter <file>', 'the charter to prove it against')
    .option('--set <name=value>', 'what a variable of the charter stands for', addTo, [])
    .option('--variables <file>', 'what its variables stand for, as YAML')
    .action(lazy(async () => (await import('./terms.ts')).runTermsCheck));
  terms
    .command('approve <agreement>')
    .description('approve terms that are wider than those before; needs two people')
    .requiredOption('--key-file <file>', 'the approver’s private key')
    .requiredOption('--output <file>', 'where to write the approval')
    .action(lazy(async () => (await import('./terms.ts')).runTermsApprove));
  terms
    .command('apply <agreement>')
    .description('put terms that both sides signed in force')
    .option('--approval <file...>', 'approvals, where the terms are wider than those before')
    .option('--yes', 'do not ask')
    .action(lazy(async () => (await import('./terms.ts')).runTermsApply));
}

function registerTenancy(program: Command): void {
  const tenant = program.command('tenant').description('tenants, as an operator sees them');
  tenant
    .command('create')
    .description('make a tenant with homes in these residencies')
    .requiredOption('--residencies <list>', 'such as eu-de,us-va')
    .option('--terms <file>', 'contract terms as YAML')
    .action(lazy(async () => (await import('./tenant.ts')).runTenantCreate));
  tenant
    .command('show [tenant]')
    .description('id, state and residencies')
    .action(lazy(async () => (await import('./tenant.ts')).runTenantShow));
  const account = program.command('account').description('service accounts of a tenant');
  account
    .command('create <residency>')
    .description('make an account and its key pair')
    .requiredOption('--role <role>')
    .requiredOption('--purposes <list>', 'purposes granted; the first is the default')
    .requiredOption('--key-file <file>', 'where to write the new private key')
    .option('--employer <name>', 'controller or processor', 'controller')
    .option('--kind <kind>', 'workload or person', 'workload')
    .option('--place <jurisdiction>', 'where it runs (default: where the cell is)')
    .option('--assurance <level>', 'low, substantial or high', 'high')
    .action(lazy(async () => (await import('./account.ts')).runAccountCreate));
}

function registerRecords(program: Command): void {
  program
    .command('ingest <file>')
    .description('send each line of a file to the cell that the charter names for it')
    .option('--mapping <file>', 'how columns become records (default: a shipped one that fits)')
    .option('--wait <seconds>', 'how long to wait for a cell that is away', '120')
    .option('--refused <file>', 'write refused lines’ numbers and reasons here')
    .option('--dry-run', 'read and route only')
    .action(lazy(async () => (await import('./ingest.ts')).runIngest));
  const record = program.command('record').description('records of a collection');
  record
    .command('get <residency> <collection> <recordId>')
    .description('read one record; it goes on record as read')
    .action(lazy(async () => (await import('./record.ts')).runRecordGet));
  record
    .command('search <residency> <collection>')
    .description('find records; values come from a file or stdin, never from arguments')
    .option('--where <file>', 'conditions as JSON; `-` reads stdin', '')
    .option('--page-size <count>', 'records per page', '20')
    .option('--page-token <token>', 'the next page')
    .option('--count', 'count as well')
    .action(lazy(async () => (await import('./record.ts')).runRecordSearch));
  program
    .command('erase <residency>')
    .description('erase a person; the id is read from a file or stdin')
    .requiredOption('--subject <file>', 'the application’s own id of the person; `-` reads stdin')
    .option('--receipt <file>', 'write the signed receipt here')
    .option('--yes', 'do not ask')
    .action(lazy(async () => (await import('./erase.ts')).runErase));
  program
    .command('erasure')
    .description('erasures and their receipts')
    .command('show <residency> <erasureId>')
    .option('--receipt <file>', 'write the signed receipt here')
    .action(lazy(async () => (await import('./erase.ts')).runErasureShow));
}

function registerTrust(program: Command): void {
  registerTransfers(program);
  const ledger = program.command('ledger').description('what is on record');
  ledger
    .command('export <residency>')
    .description('write the log, its checkpoint and own entries for offline checking')
    .requiredOption('--output <directory>', 'must be empty or absent')
    .action(lazy(async () => (await import('./ledger.ts')).runLedgerExport));
  ledger
    .command('verify <directory>')
    .description('check an export offline; anything wrong exits with 4')
    .option('--key <file>', 'the log’s verifier key, from elsewhere than the export')
    .option('--earlier <file>', 'a checkpoint kept from before')
    .option('--policy <file>', 'whose cosignatures must be there (C2SP tlog-policy)')
    .action(lazy(async () => (await import('./ledger.ts')).runLedgerVerify));
  ledger
    .command('check <residency>')
    .description('compare what is stored with what is on record; names rows that differ')
    .action(lazy(async () => (await import('./ledger.ts')).runLedgerCheck));
  ledger
    .command('tail <residency>')
    .description('the newest entries of the tenant')
    .option('--count <count>', 'how many', '20')
    .action(lazy(async () => (await import('./ledger.ts')).runLedgerTail));
  registerLedgerSearch(ledger);
}

function registerLedgerSearch(ledger: Command): void {
  ledger
    .command('search <residency>')
    .description('own entries by what they tell; all conditions hold at once')
    .option('--kind <list>', 'any of these, such as key,erasure')
    .option('--subject <file>', 'the application’s own id of a person; `-` reads stdin')
    .option('--subject-id <id>', 'a person by the id that the cell gave')
    .option('--action <name>', 'what the flow does')
    .option('--flow-purpose <name>', 'what the flow is for')
    .option('--location <jurisdiction>', 'where the flow goes to')
    .option('--destination <id>', 'cell, provider or reader that the flow goes to')
    .option('--class <name>', 'class of the data')
    .option('--category <name>', 'category of the data')
    .option('--outcome <outcome>', 'allow or deny')
    .option('--rule <id>', 'a rule that decided')
    .option('--key <id>', 'a key that the entry is about')
    .option('--actor <account>', 'who acted')
    .option('--role <name>', 'the role of who acted')
    .option('--collection <id>')
    .option('--code <code>', 'code of a refusal')
    .option('--from <instant>', 'at this instant or later (RFC 3339)')
    .option('--to <instant>', 'before this instant (RFC 3339)')
    .option('--oldest', 'the oldest first')
    .option('--count <count>', 'entries of a page', '50')
    .option('--page-token <token>', 'the next page')
    .option('--proofs', 'with inclusion proofs')
    .option('--format <format>', 'table, jsonl, or ocsf (for a SIEM)', 'table')
    .option('--all', 'every page, with jsonl and ocsf')
    .action(lazy(async () => (await import('./ledger-search.ts')).runLedgerSearch));
  ledger
    .command('inclusion <residency> <entryId>')
    .description('prove that an entry is in the log; anything wrong exits with 4')
    .option('--output <file>', 'write the proof (C2SP tlog-proof)')
    .option('--key <file>', 'the log’s verifier key, from elsewhere than the cell')
    .option('--policy <file>', 'whose cosignatures must be there (C2SP tlog-policy)')
    .action(lazy(async () => (await import('./ledger-search.ts')).runLedgerInclusion));
}

function registerEvidence(program: Command): void {
  const evidence = program
    .command('evidence')
    .description('one archive that a stranger checks offline');
  evidence
    .command('create <residency>')
    .description('make an evidence pack of the tenant’s entries in a cell')
    .requiredOption('--output <file>', 'such as pack.zip')
    .option('--like <pack>', 'make this pack again: the same bytes, or the cell says otherwise now')
    .action(lazy(async () => (await import('./evidence.ts')).runEvidenceCreate));
  evidence
    .command('verify <pack>')
    .description('check a pack offline; anything wrong exits with 4')
    .option('--key <file>', 'the log’s verifier key, from elsewhere than the pack')
    .option('--policy <file>', 'whose cosignatures must be there (C2SP tlog-policy)')
    .option('--earlier <file>', 'a checkpoint kept from before')
    .action(lazy(async () => (await import('./evidence.ts')).runEvidenceVerify));
}

function registerWitness(program: Command): void {
  const witness = program
    .command('witness')
    .description('check that ledgers only grow, and cosign them (C2SP tlog-witness)');
  witness
    .command('init <directory>')
    .description('make a key, an empty state and `witness.yaml`, once')
    .requiredOption('--name <name>', 'name in its cosignatures, such as witness.example/w1')
    .requiredOption('--log <file...>', 'files with the verifier keys of the logs to witness')
    .option('--host <host>', 'where it will listen', '127.0.0.1')
    .option('--port <number>', 'where it will listen', '7480')
    .action(lazy(async () => (await import('./witness.ts')).runWitnessInit));
  witness
    .command('run <directory>')
    .description('serve until Ctrl-C')
    .action(lazy(async () => (await import('./witness.ts')).runWitnessRun));
  witness
    .command('show <directory>')
    .description('its verifier key, and what it last cosigned of each log')
    .action(lazy(async () => (await import('./witness.ts')).runWitnessShow));
}

function registerOperation(program: Command): void {
  const backup = program.command('backup').description('backups of a cell, for its operator');
  backup
    .command('create <residency>')
    .description('take a backup now, and read it back')
    .option('--full', 'begin a new chain instead of taking what changed')
    .action(lazy(async () => (await import('./backup.ts')).runBackupCreate));
  backup
    .command('list <residency>')
    .description('the backups in the store, and how far the ledger was copied')
    .action(lazy(async () => (await import('./backup.ts')).runBackupList));
  backup
    .command('verify <residency> [backupId]')
    .description('read a backup back, or all of them; anything wrong exits with 1')
    .action(lazy(async () => (await import('./backup.ts')).runBackupVerify));
  program
    .command('restore <configuration>')
    .description('restore a cell’s database from its backups; the cell must not run over it')
    .requiredOption('--owner-url-file <file>', 'file with the URL of the new database’s owner')
    .option('--at <instant>', 'the newest backup not after it (default: the newest)')
    .option('--replay-only', 'the database was restored by other tools: replay what happened since')
    .option('--approvals <file>', 'two people’s signatures: serve without what witnesses cosigned')
    .action(lazy(async () => (await import('./restore.ts')).runRestore));
  program
    .command('drill <name>')
    .description(
      'practise a bad day on a system of its own, with signed evidence: isolation, misrouted, key-revoked, key-outage, control-plane-lost, mechanism-suspended, cell-lost, restore, leak; `short` or `all`',
    )
    .option(
      '--evidence <folder>',
      'where the signed evidence goes (default: in the state directory)',
    )
    .action(lazy(async () => (await import('./drill.ts')).runDrill));
  program
    .command('restore-approve <hash>')
    .description('sign, as one of two, that a restored cell may serve without its witnesses’ word')
    .requiredOption('--epoch <number>', 'the epoch that begins, as the restore told')
    .requiredOption('--key <file>', 'private key of an approver that the cell has pinned')
    .requiredOption('--output <file>', 'list of approvals; yours is added')
    .option('--yes', 'do not ask')
    .action(lazy(async () => (await import('./restore-approve.ts')).runRestoreApprove));
  const cell = program.command('cell').description('cells, as an operator makes them');
  cell
    .command('new <blueprint>')
    .description('make a cell: keys, identities, database, configuration, self-tests')
    .requiredOption('--output <directory>', 'a directory that is not there yet')
    .requiredOption('--pins-from <file>', '`cell.yaml` of a cell whose pinned keys it shall have')
    .option(
      '--authority <directory>',
      'authority of the trust domain (default: of the demonstration)',
    )
    .action(lazy(async () => (await import('./cell.ts')).runCellNew));
}
