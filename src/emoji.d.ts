/** Made by vite.config.ts: every emoji with its name in one language. */
declare module 'virtual:emoji/*' {
  const names: string
  export default names
}
