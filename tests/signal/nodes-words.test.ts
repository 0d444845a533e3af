import { describe, expect, it } from 'vitest'
import { nodeUrl } from '../../src/lib/nodes.ts'

describe('the address of a node, as somebody types it', () => {
  it.each([
    ['EOC-pi', false, 'http://eoc-pi.local.mesh:8080/'],
    ['10.1.2.3', false, 'http://10.1.2.3:8080/'],
    [' 10.1.2.3:80/mc ', false, 'http://10.1.2.3/mc/'],
    ['https://eoc.local.mesh/', false, 'https://eoc.local.mesh/'],
    ['eoc.local.mesh', true, 'https://eoc.local.mesh:8443/'],
    ['http://10.1.2.3/', true, 'insecure'],
    ['two words', false, 'no-address'],
    ['ftp://x.local.mesh/', false, 'no-address'],
    ['javascript:alert(1)', false, 'no-address'],
    ['', false, 'no-address'],
  ])('%s (secure page: %s) is %s', (text, isSecure, expected) => {
    const made = nodeUrl(text, isSecure)
    expect(typeof made === 'string' ? made : made.href).toBe(expected)
  })
})
