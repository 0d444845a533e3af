/** Starts the app from a file that somebody saved (`ux.md` §4.20). Whatever the app needs is in that file. */
import { mount } from 'svelte'
import Copy from './Copy.svelte'

mount(Copy, { target: document.body })
