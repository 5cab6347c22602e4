// SPDX-License-Identifier: Apache-2.0
export {
  type Answer,
  type AnswerMeta,
  findProblem,
  isProblem,
  toProblem,
  unwrap,
} from './answer.ts';
export type { Caller, CallOptions } from './caller.ts';
export type { Cell } from './cell.ts';
export {
  type CellOptions,
  type Client,
  type ClientOptions,
  createClient,
  type DirectoryOptions,
  type PinnedCell,
} from './client.ts';
export type { Collection, ImportOptions } from './collection.ts';
export { type Home, verifyHome } from './directory.ts';
export { SdkError, type SdkErrorCode } from './errors.ts';
export type { Requests } from './requests.ts';
export type { Retention } from './retention.ts';
export type { Rights } from './rights.ts';
export type { AccountCredential } from './tokens.ts';
export type { Transfers } from './transfers.ts';
export {
  type Call,
  type Endpoint,
  type Method,
  openTransport,
  type Transport,
  type TransportOptions,
} from './transport.ts';
export type {
  AccessExport,
  BlindIndexRequest,
  CharterSummary,
  CollectionDescription,
  CollectionSchema,
  Condition,
  ConsentRequest,
  Decisions,
  EntryAnswer,
  EntryPage,
  EntryQuery,
  EntryReceipts,
  EntrySearch,
  EntrySearchPage,
  ErasureReceipt,
  EvidenceAnswer,
  FactValue,
  Fields,
  FieldValue,
  HoldAnswer,
  HoldRequest,
  ImportResult,
  InclusionProofsAnswer,
  KeyAction,
  KeyChange,
  KeyDescription,
  KeyReport,
  KeyRequest,
  KeyRotation,
  LedgerCheck,
  ObjectionRequest,
  Openings,
  OpenResult,
  OrderAnswer,
  OrderRequest,
  Problem,
  RecordDraft,
  RecordPage,
  RefusedLine,
  RestrictionRequest,
  RetentionRun,
  RetentionRunRequest,
  RetentionTermAnswer,
  RightsRequest,
  RightsRequestDraft,
  SealRequest,
  SealResult,
  SearchQuery,
  SignedStatement,
  StandingAnswer,
  StandingChangeAnswer,
  StoredRecord,
  SubjectEventRequest,
  TransferAnswer,
  TransferPreview,
  TransferRequest,
  Where,
  WireFlow,
} from './wire.ts';
