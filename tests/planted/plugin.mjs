import { bugs } from './bugs.mjs'

/**
 * Plants one bug while the engine's files are read.
 * @param {string} name
 * @returns {import('vite').Plugin}
 */
export function plant(name) {
  const bug = bugs.find((one) => one.name === name)
  if (bug === undefined) throw new Error(`no bug is called ${name}`)
  return {
    name: 'plant',
    enforce: 'pre',
    transform(code, id) {
      if (!id.endsWith(`/src/mesh/${bug.file}`)) return undefined
      if (code.split(bug.find).length !== 2) throw new Error(`where "${name}" goes has changed: ${bug.file}`)
      return code.replace(bug.find, () => bug.put)
    },
  }
}
