/** Returns what `look` finds, or `otherwise` when it throws: a process can have ended, or belong to another user. */
export function attempt<T>(look: () => T, otherwise: T): T {
  try {
    return look();
  } catch {
    return otherwise;
  }
}
