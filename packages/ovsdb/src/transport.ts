import { readFile, writeFile } from "node:fs/promises";
import * as net from "node:net";
// Loaded where it is used: it costs a short command more than its work.
import type { TLSSocket } from "node:tls";
import { BadRemoteError, ConnectError } from "./errors.ts";

/** One way to a server (ovsdb(7), "Connection Methods"). */
export type Remote =
  | { readonly kind: "unix" | "punix"; readonly path: string; readonly text: string }
  | {
      readonly kind: "tcp" | "ssl" | "ptcp" | "pssl";
      readonly host: string;
      readonly port: number;
      readonly text: string;
    };

/** Files of a TLS connection, in PEM, as ovs-vsctl's options of the same names. They are read at each connection. */
export interface TlsFiles {
  readonly privateKey: string;
  readonly certificate: string;
  /** The certificate authority that the server's certificate must come from. */
  readonly caCertificate: string;
  /** When `caCertificate` does not exist, trust the first server and keep its authority there (`--bootstrap-ca-cert`). */
  readonly bootstrap?: boolean;
  /** The name for SNI that the certificate must carry too. Without it, as with OVS, only the authority counts. */
  readonly serverName?: string;
}

/** A connected byte stream. */
export interface Transport {
  write(text: string): void;
  /** Ends the stream at once. */
  close(): void;
  onData: (chunk: Uint8Array) => void;
  /** Called once, when the stream has ended for whatever reason. */
  onClose: (cause: Error | undefined) => void;
}

const DEFAULT_PORT = 6640;

/**
 * Reads a comma-separated list of remotes.
 *
 * @throws BadRemoteError
 */
export function parseRemotes(text: string): readonly Remote[] {
  return text.split(",").map((one) => parseRemote(one.trim()));
}

function parseRemote(text: string): Remote {
  const colon = text.indexOf(":");
  const kind = text.slice(0, colon);
  const rest = text.slice(colon + 1);
  const refuse = (why: string): never => {
    throw new BadRemoteError(`"${text}" is no database remote: ${why}`, {
      hint: "write unix:/path, tcp:host:port, ssl:host:port, or punix:, ptcp:port[:host], pssl: to be called",
    });
  };
  switch (kind) {
    case "unix":
    case "punix":
      return rest === "" ? refuse("the path is missing") : { kind, path: rest, text };
    case "tcp":
    case "ssl": {
      const found = /^(?:\[([^\]]+)\]|([^:[\]]+))(?::(\d+))?$/.exec(rest);
      const host = found?.[1] ?? found?.[2];
      if (host === undefined) return refuse("it needs host:port, an IPv6 address in brackets");
      return { kind, host, port: port(found?.[3], refuse), text };
    }
    case "ptcp":
    case "pssl": {
      const found = /^(\d*)(?::(?:\[([^\]]+)\]|([^:[\]]+)))?$/.exec(rest);
      if (found === null) return refuse("it needs port[:host]");
      return { kind, host: found[2] ?? found[3] ?? "0.0.0.0", port: port(found[1] || undefined, refuse), text };
    }
    default:
      return refuse("its method is none of unix, tcp, ssl, punix, ptcp, pssl");
  }
}

function port(text: string | undefined, refuse: (why: string) => never): number {
  const value = text === undefined ? DEFAULT_PORT : Number(text);
  return value >= 0 && value <= 65535 ? value : refuse("its port is over 65535");
}

/**
 * Connects to a remote, or is called by it when it is a passive one.
 *
 * @throws ConnectError; the signal's reason when it aborts before
 */
export async function connect(remote: Remote, files: TlsFiles | undefined, signal: AbortSignal): Promise<Transport> {
  signal.throwIfAborted();
  try {
    switch (remote.kind) {
      case "unix":
        return await opened(net.connect(remote.path), "connect", signal);
      case "tcp":
        return await opened(net.connect(remote.port, remote.host), "connect", signal);
      case "ssl":
        return await connectTls(remote, required(remote, files), signal);
      case "punix":
        return await accept(net.createServer(), { path: remote.path }, signal);
      case "ptcp":
        return await accept(net.createServer(), { host: remote.host, port: remote.port }, signal);
      case "pssl": {
        const options = await credentials(required(remote, files));
        const { createServer } = await import("node:tls");
        const server = createServer({ ...options, requestCert: true, rejectUnauthorized: true });
        return await accept(server, { host: remote.host, port: remote.port }, signal, "secureConnection");
      }
    }
  } catch (error) {
    if (signal.aborted || error instanceof ConnectError) throw error;
    const why = error instanceof Error ? error.message : String(error);
    throw new ConnectError(`cannot connect to ${remote.text}: ${why}`, { cause: error });
  }
}

function required(remote: Remote, files: TlsFiles | undefined): TlsFiles {
  if (files === undefined)
    throw new ConnectError(`${remote.text} needs a private key, a certificate and a certificate authority`, {
      hint: "pass `tls: { privateKey, certificate, caCertificate }`",
    });
  return files;
}

async function credentials(files: TlsFiles): Promise<{ key: Buffer; cert: Buffer; ca: Buffer | undefined }> {
  const [key, cert, ca] = await Promise.all([
    readFile(files.privateKey),
    readFile(files.certificate),
    readFile(files.caCertificate).catch((error: NodeJS.ErrnoException) => {
      if (error.code === "ENOENT" && files.bootstrap === true) return undefined;
      throw error;
    }),
  ]);
  return { key, cert, ca };
}

async function connectTls(
  remote: { readonly host: string; readonly port: number },
  files: TlsFiles,
  signal: AbortSignal,
): Promise<Transport> {
  const { key, cert, ca } = await credentials(files);
  const { connect } = await import("node:tls");
  const socket = connect({
    host: remote.host,
    port: remote.port,
    key,
    cert,
    ...(ca === undefined ? { rejectUnauthorized: false } : { ca }),
    ...(files.serverName === undefined ? { checkServerIdentity: () => undefined } : { servername: files.serverName }),
  });
  const transport = await opened(socket, "secureConnect", signal);
  if (ca !== undefined) return transport;
  // lib/stream-ssl.c does the same: keep the authority, drop the connection that nobody vouched for, call again.
  const pem = authorityOf(socket);
  transport.close();
  if (pem === undefined)
    throw new ConnectError("the server does not send the certificate of its authority, so it cannot be bootstrapped");
  await writeFile(files.caCertificate, pem, { flag: "wx" });
  return connectTls(remote, files, signal);
}

/** The self-signed certificate at the end of the server's chain, in PEM. */
function authorityOf(socket: TLSSocket): string | undefined {
  let certificate = socket.getPeerCertificate(true);
  while (certificate.issuerCertificate && certificate.issuerCertificate.fingerprint256 !== certificate.fingerprint256)
    certificate = certificate.issuerCertificate;
  if (JSON.stringify(certificate.subject) !== JSON.stringify(certificate.issuer) || !certificate.raw) return undefined;
  const lines = certificate.raw.toString("base64").match(/.{1,64}/g) ?? [];
  return `-----BEGIN CERTIFICATE-----\n${lines.join("\n")}\n-----END CERTIFICATE-----\n`;
}

function accept(
  server: net.Server,
  where: net.ListenOptions,
  signal: AbortSignal,
  event: "connection" | "secureConnection" = "connection",
): Promise<Transport> {
  return new Promise((resolve, reject) => {
    const finish = () => {
      signal.removeEventListener("abort", aborted);
      server.close();
    };
    const aborted = () => {
      finish();
      reject(signal.reason);
    };
    signal.addEventListener("abort", aborted, { once: true });
    server.once("error", (error) => {
      finish();
      reject(error);
    });
    server.once(event, (socket: net.Socket) => {
      finish();
      resolve(transportOf(socket));
    });
    server.listen(where);
  });
}

function opened(socket: net.Socket, event: "connect" | "secureConnect", signal: AbortSignal): Promise<Transport> {
  return new Promise((resolve, reject) => {
    const settle = () => {
      signal.removeEventListener("abort", aborted);
      socket.removeListener("error", failed);
      socket.removeListener("close", closed);
    };
    const failed = (error: Error) => {
      settle();
      socket.on("error", () => {});
      socket.destroy();
      reject(error);
    };
    const closed = () => failed(new Error("the peer closed the connection"));
    const aborted = () => failed(signal.reason);
    socket.once("error", failed);
    socket.once("close", closed);
    signal.addEventListener("abort", aborted, { once: true });
    socket.once(event, () => {
      settle();
      resolve(transportOf(socket));
    });
  });
}

function transportOf(socket: net.Socket): Transport {
  socket.setNoDelay(true);
  let failure: Error | undefined;
  const transport: Transport = {
    write: (text) => void socket.write(text),
    close: () => void socket.destroy(),
    onData: () => {},
    onClose: () => {},
  };
  socket.on("data", (chunk: Buffer) => transport.onData(chunk));
  socket.on("error", (error) => {
    failure = error;
  });
  // The server half-closes when it goes; there is nothing to say to it any more.
  socket.on("end", () => socket.destroy());
  socket.once("close", () => transport.onClose(failure));
  return transport;
}
