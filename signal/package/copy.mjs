/** The whole app as one file, for computers that cannot install it (`ux.md` §4.20). */
import { createHash } from 'node:crypto'
import { readFileSync, writeFileSync } from 'node:fs'
import { brotliCompressSync, gzipSync } from 'node:zlib'

/**
 * @param {string} folder with `copy.js` and `copy.css` @param {string} to beside the app's pages, where a helper serves it
 */
export function writeCopy(folder, to) {
  // Within a page these would end the script.
  const script = readFileSync(`${folder}/copy.js`, 'utf8')
    .replaceAll('</script', '<\\/script')
    .replaceAll('<!--', '<\\!--')
  const styles = readFileSync(`${folder}/copy.css`, 'utf8')
  const icon = readFileSync('static/icon.svg').toString('base64')
  const hash = createHash('sha256').update(script).digest('base64')
  const policy = [
    "default-src 'none'",
    `script-src 'sha256-${hash}' 'wasm-unsafe-eval'`,
    "style-src 'unsafe-inline'",
    'img-src data: blob:',
    'media-src blob:',
    'connect-src ws: wss: http: https:',
    'worker-src blob:',
    "object-src 'none'",
    "base-uri 'none'",
    "form-action 'none'",
  ].join('; ')
  const page = readFileSync('src/app.html', 'utf8')
    // What stands beside an app on a node, and not beside a file.
    .replace(/^.*%sveltekit\.assets%.*\n/gm, '')
    .replace('%sveltekit.body%', '')
    .replace(
      '%sveltekit.head%',
      () =>
        `<meta http-equiv="content-security-policy" content="${policy}" />` +
        `<link rel="icon" href="data:image/svg+xml;base64,${icon}" /><style>${styles}</style>`,
    )
    .replace(
      '</body>',
      () =>
        `<script type="application/json" id="nodes">[]</script><script type="module">${script}</script></body>`,
    )
  writeFileSync(to, page)
  writeFileSync(`${to}.gz`, gzipSync(page))
  writeFileSync(`${to}.br`, brotliCompressSync(page))
}
