/** What `look` finds; `otherwise` when it throws, as what is looked at can end meanwhile, or belong to another user. */
export function attempt<T>(look: () => T, otherwise: T): T {
  try {
    return look();
  } catch {
    return otherwise;
  }
}
