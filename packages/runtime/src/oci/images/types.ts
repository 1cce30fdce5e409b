/** What an image says about how to run it (OCI image specification, config). */
export interface ImageConfig {
  readonly env: Readonly<Record<string, string>>;
  readonly entrypoint: readonly string[];
  readonly command: readonly string[];
  readonly user: string | undefined;
  readonly workdir: string;
}

/** An image ready to be a container's lower layer. */
export interface Image {
  readonly root: string;
  readonly config: ImageConfig;
}

export const NO_CONFIG: ImageConfig = { env: {}, entrypoint: [], command: [], user: undefined, workdir: "/" };
