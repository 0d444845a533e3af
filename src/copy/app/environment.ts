/** In place of `$app/environment`. */

/** Written by vite.config.ts. */
declare const meshchatVersion: string

export const version = meshchatVersion
export const dev = false
