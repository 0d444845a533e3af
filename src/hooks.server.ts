import type { Handle } from '@sveltejs/kit'

const styles = /\s*<link href="[^"]*\/assets\/[^"]*\.css" rel="stylesheet">/g
/** Those of the page and its layout have numbers, those of sheets have names. */
const isOfPage = (link: string) => /\/assets\/\d+\.[^"]*\.css"/.test(link)

/**
 * At build time: styles stand behind the words that are shown first, so that these are painted without them, and the
 * page waits only for those of its first screen. All of them in the head were sixteen requests before the first paint.
 */
export const handle: Handle = ({ event, resolve }) =>
  resolve(event, {
    transformPageChunk: ({ html }) => {
      const links = (html.match(styles) ?? []).filter(isOfPage).join('')
      return html.replace(styles, '').replace('<noscript>', `${links}\n    <noscript>`)
    },
  })
