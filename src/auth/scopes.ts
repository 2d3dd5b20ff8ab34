/** The scopes of tokens; `tasks:write` includes `tasks:read`. */
export const SCOPES = ['tasks:read', 'tasks:write'] as const;
export type Scope = (typeof SCOPES)[number];
