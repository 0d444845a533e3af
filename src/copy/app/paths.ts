/** In place of `$app/paths`: everything is in this one file. */
export function resolve(path: string): string {
  return path.replace(/^\//, './')
}
