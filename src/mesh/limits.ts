/**
 * Every bound and default, with its unit in its name, and where the number came from:
 * `paper`, `rfc`, `measured`, `design` (fixed by the contract of this project) or `guess`.
 * A guess is an open question, not a decision.
 */
export const limits = {
  // Frames
  /** design: bytes from a link are refused above this before they are decoded. */
  frameBytesMax: 65_536,
  /** guess: what stands around the events of a run. */
  frameHeadBytesMax: 1_024,
  /** measured: one SCTP packet carries at most this much; what is larger is two packets. */
  packetPayloadBytesMax: 1_160,
  /** design (reliability T11): frames stay below 16 KiB where they can. */
  runBytesMax: 16_384,
  /** guess: enough for a screen of history in one answer. */
  runEventsMax: 64,
  /** guess */
  haveEntriesMax: 128,
  /** guess: ranges of one feed that a peer may report; older ones are left out. */
  rangesMax: 16,
  /** guess: at 1.3 KiB for the largest record this stays below `frameBytesMax`. */
  recordsPerFrameMax: 32,

  // Events
  /** design: characters of one message. */
  messageCharactersMax: 4_000,
  /** design: 4,000 characters of at most 4 bytes. */
  bodyBytesMax: 16_000,
  /** paper-like (gossip.md 7.2): other authors' heads named by one event. */
  depsMax: 4,
  /** design (gossip.md 7.2): one event that is pushed at once rather than announced. */
  eagerBytesMax: 1_100,
  nameCharactersMax: 32,
  roomNameCharactersMax: 32,

  // Clock (gossip.md 7.3)
  /** design: room for 2^40 successors below 2^53, so that no hostile stamp runs the order over. */
  stampMax: Number.MAX_SAFE_INTEGER - 2 ** 40,
  /** design: receiving never moves the local clock further than this beyond the estimated present. */
  clockLeadMaxMs: 60_000,
  /** design: an event may be at most this much later than its latest known ancestor. */
  effectiveLeadMaxMs: 30 * 24 * 3_600_000,
  /** design: two neighbours must agree within this, or the own clock is used. */
  clockAgreementMs: 600_000,
  /** guess: the offset moves at most this much per heartbeat. */
  clockSlewMs: 500,

  // Rooms and feeds
  /** guess */
  roomsMax: 64,
  /** guess: feeds kept per room; a flood of new keys stops here. */
  feedsPerRoomMax: 4_096,
  /** guess: incarnations of one device; each is a wiped or restored store. */
  feedsPerDeviceMax: 64,
  /** guess: holes of one feed; what would make more is asked for later. */
  heldRangesMax: 256,
  /** guess: devices whose presence is remembered. */
  presencesMax: 1_024,
  /** design (Message states): receipts by name up to this many people. */
  receiptPeopleMax: 64,
  receiptEntriesMax: 16,
  /** guess: ranges of one feed that a receipt may name. */
  receiptRangesMax: 4,
  /** guess: receipts kept per room, the oldest go first. */
  receiptsPerRoomMax: 4_096,

  // Overlay
  /** design decision: live connections of one browser. */
  linksMax: 16,
  /** design (gossip.md 7.5) */
  dialsPerMinuteMax: 24,
  /** measured: 9 to 18 s on the worst link measured, so not less. */
  dialTimeoutMs: 30_000,
  /** guess: first wait after a failed dial; doubles up to `redialMaxMs`. */
  redialMinMs: 3_000,
  /** guess: ten peers out of reach cost 40 of the page's 300 connections an hour. */
  redialMaxMs: 900_000,
  /** guess: the peer with the larger id lets the other dial first. */
  dialPolitenessMs: 2_500,
  /** measured: Chromium counts 500 per page and returns them late; stay well below. */
  peerConnectionsPerPageMax: 300,

  // Presence
  /** guess: one heartbeat per link. */
  heartbeatIntervalMs: 5_000,
  /** design: silent for this long is gone. */
  silentMs: 20_000,
  /** design: asleep lasts at most this long. */
  asleepMaxMs: 24 * 3_600_000,
  /** design: who was seen in a room this recently counts as its audience. */
  audienceMs: 24 * 3_600_000,
  /** guess: peers named in one heartbeat. */
  heartbeatPeersMax: 128,

  // Reconciliation
  /** guess */
  wantsPerLinkMax: 4,
  /** guess: an unanswered want is forgotten, and somebody else is asked. */
  wantTimeoutMs: 10_000,
  /** guess: wants waiting to be answered, per link. */
  servingQueueMax: 64,
  /** guess: how long changes collect before they are announced or confirmed. */
  batchDelayMs: 200,

  // Signature checks
  /** guess: per link; a plain page checks about 600 a second (measured: `gossip.md` §7.11). */
  checksPerSecondMax: 200,
  checksBurst: 2_000,
  /** guess: frames of one link that wait for a check. */
  checksQueueMax: 1_024,

  // Signals
  /** guess: an offer with its candidates is about 1 KiB. */
  signalBytesMax: 16_384,
  /** guess: enough to cross a small overlay twice. */
  signalHopsMax: 4,
  /** guess: peers that one helper may name. */
  helperPeersMax: 1_024,
  /** guess: signals a link may ask us to pass on, per minute. */
  signalsPerLinkPerMinuteMax: 240,
  /** guess: how long an answer goes back the way its offer came. */
  signalPathMs: 60_000,

  // Storage
  /** guess: events waiting for the disk; beyond this nothing more is asked for. */
  journalEventsMax: 4_096,
  /** guess: events of one transaction. */
  transactionEventsMax: 512,
  /** guess: after a refused transaction. */
  storeRetryMs: 5_000,
  /** guess: receipts sent to a peer that has just been linked. */
  receiptsPerLinkUpMax: 64,

  // Own posts
  /** guess: posts waiting for storage. */
  outboxMax: 512,
} as const
