// An update that does not start is taken back (`ux.md` §4.20): the service worker keeps the app before it until it has
// started once. Once per visit: what does not start either time is not helped by loading it again.
setTimeout(() => {
  const worker = 'serviceWorker' in navigator ? navigator.serviceWorker : undefined
  const key = 'meshchat-taken-back'
  if (!worker?.controller || document.querySelector('.app') || sessionStorage.getItem(key)) return
  worker.addEventListener('message', ({ data }) => {
    if (data?.type !== 'TAKEN-BACK' || !data.hasBefore) return
    sessionStorage.setItem(key, 'new')
    location.reload()
  })
  worker.controller.postMessage({ type: 'DID-NOT-START' })
}, 20_000)
