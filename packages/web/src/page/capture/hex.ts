const WIDTH = 16;

/**
 * Bytes as people read them: the offset, sixteen bytes, the same as characters.
 *
 * @param marked stands in brackets
 */
export function hexLines(
  bytes: Uint8Array,
  marked: { readonly offset: number; readonly length: number } | undefined,
): string[] {
  const isMarked = (at: number) => marked !== undefined && at >= marked.offset && at < marked.offset + marked.length;
  return Array.from({ length: Math.ceil(bytes.length / WIDTH) }, (_, line) => {
    const start = line * WIDTH;
    const row = [...bytes.subarray(start, start + WIDTH)];
    const hex = row.map((byte, n) => {
      const at = start + n;
      const open =
        isMarked(at) && (n === 0 || !isMarked(at - 1)) ? "[" : isMarked(at - 1) && !isMarked(at) && n > 0 ? "]" : " ";
      return `${open}${byte.toString(16).padStart(2, "0")}`;
    });
    const close = isMarked(start + row.length - 1) ? "]" : " ";
    const text = row.map((byte) => (byte >= 0x20 && byte < 0x7f ? String.fromCharCode(byte) : ".")).join("");
    return `${start.toString(16).padStart(4, "0")} ${(hex.join("") + close).padEnd(WIDTH * 3 + 1)} ${text}`;
  });
}
