/** What the page's policy asks of style elements that come later (docs/page.md); the server puts it into the page. */
export function pageNonce(): string {
  return document.querySelector<HTMLMetaElement>('meta[property="csp-nonce"]')?.nonce ?? "";
}

/** Does what makes style elements, by a library that has no word for their nonce: while it lasts, they have it. */
export function withNonce(work: () => void): void {
  const nonce = pageNonce();
  const create = document.createElement;
  const nonced = (name: string, options?: ElementCreationOptions) => {
    const element = create.call(document, name, options);
    if (name === "style") element.nonce = nonce;
    return element;
  };
  Object.defineProperty(document, "createElement", { value: nonced, configurable: true });
  try {
    work();
  } finally {
    // The document's own is its prototype's.
    Reflect.deleteProperty(document, "createElement");
  }
}
