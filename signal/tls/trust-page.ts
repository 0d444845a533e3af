/**
 * `/trust`: how to make a device trust the mesh's authority, in plain words and without a script, so that it opens in
 * any browser. Pure: gets what to say, gives the page.
 */
import { createHash } from 'node:crypto'
import encodeQR from 'qr'
import { meshPermits, permitsText, type Permits } from './permits.ts'

export interface TrustPage {
  readonly node: string
  /** Of this page, over plain http: what a phone can open first. */
  readonly url: string
  /** The app on https. */
  readonly secureUrls: readonly string[]
  /** Undefined when devices know it anyway; absent https has no page of its own. */
  readonly authority:
    { readonly name: string; readonly fingerprint: string; readonly permits: Permits | undefined } | undefined
}

const style = `
:root { color-scheme: light dark; font: 1rem/1.5 system-ui, sans-serif; }
body { max-width: 42rem; margin: 0 auto; padding: 1rem; }
h1 { font-size: 1.4rem; line-height: 1.25; } h2 { font-size: 1.1rem; margin-top: 2rem; }
code { overflow-wrap: anywhere; font-size: 1rem; }
.print { display: grid; grid-template-columns: repeat(auto-fill, minmax(7rem, 1fr)); gap: 0 1rem; padding: .75rem; border: 1px solid; border-radius: .5rem; }
summary { padding: .6rem 0; font-weight: 600; cursor: pointer; }
.button { display: inline-block; padding: .75rem 1rem; border: 2px solid; border-radius: .5rem; font-weight: 600; }
svg { width: 11rem; height: 11rem; background: #fff; } figure { margin: 1rem 0; }
`

/** For the header: this page runs nothing and loads nothing. */
export const trustPolicy = [
  "default-src 'none'",
  `style-src 'sha256-${createHash('sha256').update(style).digest('base64')}'`,
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join('; ')

const steps: readonly (readonly [string, readonly string[]])[] = [
  [
    'Android',
    [
      'Tap “Get the certificate”. Android says that it has to be installed in the settings.',
      'Open Settings and search for “CA certificate” (on most phones: Security → More security settings → Encryption & credentials → Install a certificate → CA certificate).',
      'Android warns that your network may be watched. Compare the fingerprint first; then “Install anyway” and choose the file <code>meshchat-ca.crt</code> in Downloads.',
      'Close the browser and open the secure address below.',
    ],
  ],
  [
    'iPhone and iPad',
    [
      'Open this page in Safari and tap “Get the certificate”, then “Allow”.',
      'Settings → General → VPN & Device Management → the profile under “Downloaded” → Install.',
      'Settings → General → About → Certificate Trust Settings → switch this authority on. Without this step it is installed and not trusted.',
      'Open the secure address below in Safari.',
    ],
  ],
  [
    'Windows',
    [
      'Click “Get the certificate” and open the file.',
      '“Install Certificate…” → Current User → “Place all certificates in the following store” → Browse → “Trusted Root Certification Authorities” → Finish.',
      'Windows shows the thumbprint once more; answer Yes. Restart the browser.',
    ],
  ],
  [
    'macOS',
    [
      'Click “Get the certificate” and open the file; Keychain Access adds it to your login keychain.',
      'Double-click it there, open “Trust” and choose “Always Trust” for “Secure Sockets Layer (SSL)”. Restart the browser.',
    ],
  ],
  [
    'Linux (Chromium, Chrome)',
    [
      'Get the certificate. Then, in a terminal: <code>certutil -A -d sql:$HOME/.pki/nssdb -t C,, -n meshchat -i meshchat-ca.crt</code> (package libnss3-tools).',
      'Restart the browser.',
    ],
  ],
  [
    'Firefox on laptops',
    [
      'Firefox keeps a list of its own: Settings → Privacy & Security → Certificates → View Certificates → Authorities → Import.',
      'Choose the file and tick “Trust this CA to identify websites”.',
    ],
  ],
]

export function trustPage(page: TrustPage): string {
  const { node, authority } = page
  const body = authority === undefined ? withoutAuthority(page) : withAuthority(page, authority)
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Trust ${escapeHtml(node)}</title>
<style>${style}</style>
</head>
<body>
<main>
${body}
</main>
</body>
</html>
`
}

function withoutAuthority({ node, secureUrls }: TrustPage): string {
  const [first] = secureUrls
  if (first !== undefined) {
    return `<h1>${escapeHtml(node)} brings no authority to trust</h1>
<p>This node shows a certificate that its operator chose. Open the secure address: ${link(first)}. If your browser warns, ask the operator.</p>
<p><a href="./">Back to the chat</a></p>`
  }
  return `<h1>${escapeHtml(node)} has no secure address</h1>
<p>This node is opened over plain http. Chat and files work; installing the app, opening it without a node, calls and alerts need https.</p>
<p>Whoever runs this node can switch it on by starting it with <code>--tls auto</code>.</p>
<p><a href="./">Back to the chat</a></p>`
}

function withAuthority(
  { node, url, secureUrls }: TrustPage,
  { name, fingerprint, permits }: NonNullable<TrustPage['authority']>,
): string {
  const pairs = fingerprint.split(':')
  const groups = Array.from({ length: 8 }, (_, i) => pairs.slice(i * 4, i * 4 + 4).join(' '))
  return `<h1>Make this device trust ${escapeHtml(node)}</h1>
<p>Over a secure address the app can be installed, opens without any node, and may use camera, microphone and alerts. For that your device has to trust the certificate of this mesh once. Chat and files work without it.</p>
<h2>1. Compare the fingerprint</h2>
<p>Ask whoever runs the mesh to read theirs to you, by radio or in person. Only if all of it is the same, go on.</p>
<p class="print" aria-label="Fingerprint">${groups.map((group) => `<code>${group}</code>`).join(' ')}</p>
<p>${escapeHtml(name)}, SHA-256. ${limits(permits)}</p>
<h2>2. Get the certificate</h2>
<p><a class="button" href="trust/meshchat-ca.crt" download="meshchat-ca.crt">Get the certificate</a></p>
<h2>3. Tell your device to trust it</h2>
${steps.map(([system, lines]) => `<details><summary>${system}</summary><ol>${lines.map((line) => `<li>${line}</li>`).join('')}</ol></details>`).join('\n')}
<h2>4. Open the secure address</h2>
<ul>${secureUrls.map((one) => `<li>${link(one)}</li>`).join('')}</ul>
<p>The secure address counts as another place for your browser: you give your name once more there, and your messages come from the others.</p>
<h2>On another device</h2>
<p>Open this page there: <code>${escapeHtml(url)}</code></p>
<figure aria-label="QR code of this page">${encodeQR(url, 'svg')}</figure>
<p><a href="./">Back to the chat</a></p>`
}

function limits(permits: Permits | undefined): string {
  if (permits === undefined) return ''
  const names = permits.names.map((name) => `<code>.${escapeHtml(name)}</code>`).join(', ')
  const prefixes = permits.prefixes.map(({ address, bits }) => `<code>${address}/${bits}</code>`).join(', ')
  const own = permitsText(permits) === permitsText(meshPermits)
  return own
    ? `It can vouch only for names that end in ${names} and for private addresses, not for any site on the internet.`
    : `It can vouch only for names that end in ${names} and for addresses in ${prefixes}.`
}

function link(url: string): string {
  return `<a href="${escapeHtml(url)}">${escapeHtml(url)}</a>`
}

function escapeHtml(text: string): string {
  return text
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;')
}
