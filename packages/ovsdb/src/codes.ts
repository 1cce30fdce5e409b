/** Every code of this package's errors, with what it means and what to do. Each has a class of its own in errors.ts. */
export const codes = {
  "ovsdb.bad-remote":
    "A database remote is not written as ovsdb(7) has it: write unix:/path, tcp:host:port or ssl:host:port.",
  "ovsdb.connect-failed":
    "No server could be reached that serves the database: see the message, and whether ovsdb-server runs.",
  "ovsdb.connection-lost": "The connection to the server ended; it is opened again by itself.",
  "ovsdb.outcome-unknown":
    "The connection ended between a transaction and its answer: look whether its changes are there before repeating it.",
  "ovsdb.protocol": "The peer does not speak JSON-RPC: look whether the remote is an OVSDB server at all.",
  "ovsdb.request-refused": "The server refused a request: see the message; the server may be too old for it.",
  "ovsdb.cancelled": "The caller cancelled the operation and nothing was done.",
  "ovsdb.timeout": "An operation on the database did not end within its time: look whether the server is overloaded.",
  "ovsdb.closed": "The database connection was closed while it was in use.",
  "ovsdb.bad-schema": "A schema document does not follow RFC 7047 section 3.2: see the place in the message.",
  "ovsdb.schema-mismatch":
    "A table or column is not in the schema, or not in the server's version of it: upgrade the older of the two.",
  "ovsdb.bad-value": "A value does not fit its column's type or range: see the column in the message.",
  "ovsdb.no-such-row": "A row that was to be changed is not there: somebody may have deleted it.",
  "ovsdb.unreferenced-row":
    "A new row would vanish because nothing refers to it: add the reference in the same transaction.",
  "ovsdb.conflict": "Others kept changing what the transaction had read: try again when they are done.",
  "ovsdb.bad-lock": "A lock was asked for twice, or its name is no identifier.",
  "ovsdb.not-owner":
    "The transaction needs a lock that another client has: wait for it, or leave the work to the other.",
  "ovsdb.constraint-violation":
    "The database's rules forbid the change (a range, a uniqueness, a number of rows): see the message.",
  "ovsdb.referential-integrity":
    "A row refers to one that is not there, or one that is still referred to was deleted: see the message.",
  "ovsdb.server-io": "The server could not write its database: free space on its disk.",
  "ovsdb.resources-exhausted": "The server ran out of memory or another resource.",
  "ovsdb.arithmetic": "A calculation in the database left its range or divided by zero.",
  "ovsdb.permission": "The server's access control forbids the change to this client.",
  "ovsdb.unknown-database": "The server does not have the database: look whether the remote is the right one.",
  "ovsdb.transaction-refused": "The server refused the transaction: see the message.",
} as const;
