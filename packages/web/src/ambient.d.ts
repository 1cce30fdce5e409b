// With the browser's types beside Bun's, a Worker has the browser's, which lack what Bun's has more.
interface Worker {
  unref(): void;
}

declare module "*.css";
