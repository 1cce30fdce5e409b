import { print, type Session } from "../session.ts";
import type { HttpDoorOptions } from "./http-options.ts";
import type { Served } from "./options.ts";

export interface HttpService extends AsyncDisposable {
  /** To be called once the agent serves. */
  serving(): void;
  /** Aborts when it cannot be served as it was asked for. */
  readonly failed: AbortSignal;
}

/** The HTTP interface, served by the agent of a yard that is told to. */
export function httpService(session: Session, yard: string, options: HttpDoorOptions | undefined): HttpService {
  const failed = new AbortController();
  let server: Promise<Served | undefined> | undefined;
  const serve = async (wanted: HttpDoorOptions) => {
    try {
      const { serveHttpDoor } = await import("./http.ts");
      const served = await serveHttpDoor(session, yard, wanted);
      print(session, ...served.says);
      return served;
    } catch (error) {
      failed.abort(error);
      return undefined;
    }
  };
  return {
    failed: failed.signal,
    serving() {
      if (options !== undefined) server = serve(options);
    },
    async [Symbol.asyncDispose]() {
      await (await server)?.[Symbol.asyncDispose]();
    },
  };
}
