/** What the HTTP interface refuses, beside what the yard does. */
export const codes = {
  "dissect.failed": "tshark could not take a frame apart; the message has what it said.",
  "dissect.no-tshark":
    "The host has no tshark, which the page and API take frames apart by beside what they know themselves.",
  "http.bad-address":
    "An address to serve HTTP on is an IP address and a port, a port of the loopback's, or unix:PATH.",
  "http.bad-body": "The body of the request is not what the operation takes; `errors` names each place.",
  "http.bad-query": "A parameter of the query is not what the operation takes.",
  "http.bad-tokens":
    "A line of the file of tokens is not NAME ROLE TOKEN, with the role read or operate and 16 characters of token at least.",
  "http.changed-since": "The lab's text is no longer the one that the request was made from (If-Match). Read it again.",
  "http.foreign-origin": "A page of another origin asked. Only the yard's own page may.",
  "http.lab-name-differs": "The lab file says another name than the path of the request. Give both the same.",
  "history.moved-on": "Another step is by now the one to undo or to do again. Look at its plan, and ask again.",
  "history.nothing": "There is nothing to undo, or nothing has been undone. Only changes over HTTP are in the history.",
  "http.method-not-allowed": "There is no such operation on this resource; the Allow header lists those there are.",
  "http.needs-tls":
    "Beyond the loopback HTTP is served with TLS (--tls-cert, --tls-key) and bearer tokens (--tokens) only.",
  "http.not-found": "There is nothing at this path. /api/v1/openapi.json lists what there is.",
  "http.not-permitted": "The token has the role read, and the operation needs operate.",
  "http.no-text": "The lab's file cannot be read, or was never written: the lab has no text.",
  "http.too-fast": "More requests, or more input, than the server takes. Wait as long as Retry-After says.",
  "http.too-large": "The body of the request is larger than the operation takes.",
  "http.token-wanted":
    "Neither a token nor a session came with the request, or none that is known. `yard serve` prints a link with one.",
  "http.upgrade-wanted": "The operation is a WebSocket: ask for an upgrade.",
  "http.wrong-host":
    "The Host header names neither an IP address nor a name that is served (--host). This is refused lest a stranger's name be pointed here.",
  "switch.bridge-unknown": "The yard has no bridge of that name on its switch. `GET /api/v1/bridges` lists them.",
  "yard.not-running": "The yard has been taken down. What is declared next starts it anew.",
  "trace.bad-port": "The nic that a packet is to come in by is on no bridge of the switch.",
} as const;
