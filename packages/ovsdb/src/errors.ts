import { type ErrorDetails, YardError } from "@switchyard/base";

/** Every failure that this package throws; its `code` begins with `ovsdb.`. */
export abstract class OvsdbError extends YardError {}

/** A remote such as `tcp:host:port` does not follow ovsdb(7). */
export class BadRemoteError extends OvsdbError {
  override readonly name = "BadRemoteError";
  constructor(message: string, details?: ErrorDetails) {
    super("ovsdb.bad-remote", message, details);
  }
}

/** No server could be reached, or none that serves the database, within the time allowed. */
export class ConnectError extends OvsdbError {
  override readonly name = "ConnectError";
  constructor(message: string, details?: ErrorDetails) {
    super("ovsdb.connect-failed", message, details);
  }
}

/** The connection ended while an idempotent request (a schema, a monitor) was on its way. */
export class ConnectionLostError extends OvsdbError {
  override readonly name = "ConnectionLostError";
  constructor(message: string, details?: ErrorDetails) {
    super("ovsdb.connection-lost", message, details);
  }
}

/** The connection ended after a transaction was sent and before its reply came: it may or may not have committed. */
export class OutcomeUnknownError extends OvsdbError {
  override readonly name = "OutcomeUnknownError";
  constructor(message: string, details?: ErrorDetails) {
    super("ovsdb.outcome-unknown", message, details);
  }
}

/** What the peer sent is not JSON-RPC as RFC 7047 section 4 has it; the connection was dropped. */
export class ProtocolError extends OvsdbError {
  override readonly name = "ProtocolError";
  constructor(message: string, details?: ErrorDetails) {
    super("ovsdb.protocol", message, details);
  }
}

/** The server answered a request with an error; `error` is its word, such as `unknown method`. */
export class RequestRefusedError extends OvsdbError {
  override readonly name = "RequestRefusedError";
  constructor(
    readonly method: string,
    readonly error: string,
    message: string,
    details?: ErrorDetails,
  ) {
    super("ovsdb.request-refused", message, details);
  }
}

/** The caller's signal aborted the operation and the server confirmed that nothing was done. */
export class CancelledError extends OvsdbError {
  override readonly name = "CancelledError";
  constructor(message: string, details?: ErrorDetails) {
    super("ovsdb.cancelled", message, details);
  }
}

/** A wait or a transaction did not come to its end within its `timeout`. */
export class TimeoutError extends OvsdbError {
  override readonly name = "TimeoutError";
  constructor(message: string, details?: ErrorDetails) {
    super("ovsdb.timeout", message, details);
  }
}

/** The database was closed by its owner. */
export class ClosedError extends OvsdbError {
  override readonly name = "ClosedError";
  constructor(message = "the database connection is closed", details?: ErrorDetails) {
    super("ovsdb.closed", message, details);
  }
}

/** A schema document is not one (RFC 7047 section 3.2). */
export class BadSchemaError extends OvsdbError {
  override readonly name = "BadSchemaError";
  constructor(message: string, details?: ErrorDetails) {
    super("ovsdb.bad-schema", message, details);
  }
}

/** A table or column that the caller uses is not in the schema, or not in the server's version of it. */
export class SchemaMismatchError extends OvsdbError {
  override readonly name = "SchemaMismatchError";
  constructor(message: string, details?: ErrorDetails) {
    super("ovsdb.schema-mismatch", message, details);
  }
}

/** A value does not fit its column; found before anything was sent, or in what the server sent. */
export class BadValueError extends OvsdbError {
  override readonly name = "BadValueError";
  constructor(message: string, details?: ErrorDetails) {
    super("ovsdb.bad-value", message, details);
  }
}

/** A transaction names a row that is not there. */
export class NoSuchRowError extends OvsdbError {
  override readonly name = "NoSuchRowError";
  constructor(message: string, details?: ErrorDetails) {
    super("ovsdb.no-such-row", message, details);
  }
}

/** A row inserted into a table that is no root set is referred to by nothing: the server would drop it silently. */
export class UnreferencedRowError extends OvsdbError {
  override readonly name = "UnreferencedRowError";
  constructor(message: string, details?: ErrorDetails) {
    super("ovsdb.unreferenced-row", message, details);
  }
}

/** What a transaction had read changed under it, again and again until its timeout. */
export class ConflictError extends OvsdbError {
  override readonly name = "ConflictError";
  constructor(message: string, details?: ErrorDetails) {
    super("ovsdb.conflict", message, details);
  }
}

/** A lock cannot be asked for twice on one connection, or by a name that is no identifier. */
export class BadLockError extends OvsdbError {
  override readonly name = "BadLockError";
  constructor(message: string, details?: ErrorDetails) {
    super("ovsdb.bad-lock", message, details);
  }
}

/** The transaction depends on a lock that this client does not hold (any more). */
export class NotOwnerError extends OvsdbError {
  override readonly name = "NotOwnerError";
  constructor(message: string, details?: ErrorDetails) {
    super("ovsdb.not-owner", message, details);
  }
}

/** A column's or an index's constraint is violated: a range, an enumeration, `maxRows`, uniqueness, immutability. */
export class ConstraintViolationError extends OvsdbError {
  override readonly name = "ConstraintViolationError";
  constructor(message: string, details?: ErrorDetails) {
    super("ovsdb.constraint-violation", message, details);
  }
}

/** A reference would point to no row, or a row that is still referred to would be deleted. */
export class ReferentialIntegrityError extends OvsdbError {
  override readonly name = "ReferentialIntegrityError";
  constructor(message: string, details?: ErrorDetails) {
    super("ovsdb.referential-integrity", message, details);
  }
}

/** The server could not write its database file: a full disk, most often. */
export class ServerIoError extends OvsdbError {
  override readonly name = "ServerIoError";
  constructor(message: string, details?: ErrorDetails) {
    super("ovsdb.server-io", message, details);
  }
}

/** The server ran out of memory or another resource. */
export class ResourcesExhaustedError extends OvsdbError {
  override readonly name = "ResourcesExhaustedError";
  constructor(message: string, details?: ErrorDetails) {
    super("ovsdb.resources-exhausted", message, details);
  }
}

/** An arithmetic mutation left the range of its type, or divided by zero. */
export class ArithmeticError extends OvsdbError {
  override readonly name = "ArithmeticError";
  constructor(message: string, details?: ErrorDetails) {
    super("ovsdb.arithmetic", message, details);
  }
}

/** The server's access control (RBAC) or read-only mode forbids the operation. */
export class PermissionError extends OvsdbError {
  override readonly name = "PermissionError";
  constructor(message: string, details?: ErrorDetails) {
    super("ovsdb.permission", message, details);
  }
}

/** The server does not serve the database. */
export class UnknownDatabaseError extends OvsdbError {
  override readonly name = "UnknownDatabaseError";
  constructor(message: string, details?: ErrorDetails) {
    super("ovsdb.unknown-database", message, details);
  }
}

/** The server refused the transaction with an error that has no class of its own; `error` is its word. */
export class TransactionRefusedError extends OvsdbError {
  override readonly name = "TransactionRefusedError";
  constructor(
    readonly error: string,
    message: string,
    details?: ErrorDetails,
  ) {
    super("ovsdb.transaction-refused", message, details);
  }
}

/**
 * The class for an error of RFC 7047 sections 3.1, 4.1.3 and 5.2, or of ovsdb-server(7).
 *
 * @param error the server's word, such as `constraint violation`
 * @param where what the operation was
 */
export function transactionError(error: string, text: string, where?: string): OvsdbError {
  const details = where === undefined ? {} : { where };
  switch (error) {
    case "constraint violation":
    case "duplicate uuid":
    case "duplicate uuid-name":
    case "duplicate uuid name":
      return new ConstraintViolationError(text, details);
    case "referential integrity violation":
      return new ReferentialIntegrityError(text, details);
    case "not owner":
      return new NotOwnerError(text, {
        ...details,
        hint: "take the lock again, or stop: another client does this work",
      });
    case "I/O error":
      return new ServerIoError(text, { ...details, hint: "free space where the server keeps its database file" });
    case "resources exhausted":
      return new ResourcesExhaustedError(text, details);
    case "domain error":
    case "range error":
      return new ArithmeticError(text, details);
    case "permission error":
    case "not allowed":
      return new PermissionError(text, details);
    case "unknown database":
      return new UnknownDatabaseError(text, details);
    case "canceled":
      return new CancelledError(text, details);
    case "timed out":
      return new ConflictError(text, details);
    default:
      return new TransactionRefusedError(error, text, details);
  }
}
