/** What a running node tells whoever keeps its journal: one line of JSON per event. Never a message, a name or a key of a person. */
export const logLevels = ['debug', 'info', 'warn', 'error', 'off'] as const
export type LogLevel = (typeof logLevels)[number]

export type LogFields = Readonly<Record<string, string | number | boolean | undefined>>

export interface Log {
  debug(event: string, fields?: LogFields): void
  info(event: string, fields?: LogFields): void
  warn(event: string, fields?: LogFields): void
  error(event: string, fields?: LogFields): void
}

export interface LogParts {
  readonly level: LogLevel
  /** Takes one line without its end. */
  readonly write: (line: string) => void
  /** Milliseconds since 1970. */
  readonly wallMs: () => number
}

export function createLog({ level, write, wallMs }: LogParts): Log {
  const least = logLevels.indexOf(level)
  const at =
    (own: Exclude<LogLevel, 'off'>) =>
    (event: string, fields: LogFields = {}) => {
      if (logLevels.indexOf(own) < least) return
      write(JSON.stringify({ at: new Date(wallMs()).toISOString(), level: own, event, ...fields }))
    }
  return { debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error') }
}
