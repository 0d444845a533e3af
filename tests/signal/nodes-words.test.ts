import { describe, expect, it } from 'vitest'
import { compareVersions, nodeUrl } from '../../src/lib/nodes.ts'

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

describe('releases', () => {
  it.each([
    ['0.1.0', '0.1.0', 0],
    // Another build of the same release.
    ['0.1.0-3f2a1b00', '0.1.0-99aa0011', 0],
    ['0.2.0', '0.1.9-99aa0011', 1],
    ['0.9.0', '0.10.0', -1],
    ['1.0.0', '0.99.99', 1],
    ['', '0.1.0', 0],
    ['0.1', '0.1.0', 0],
    ['1e9.0.0', '0.1.0', 0],
    ['0.1.0<script>', '0.0.1', 0],
  ])('%s against %s: %d', (first, second, expected) => {
    expect(Math.sign(compareVersions(first, second))).toBe(expected)
    expect(Math.sign(compareVersions(second, first)) + expected).toBe(0)
  })
})
