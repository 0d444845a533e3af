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
  /** guess: holes of a room that are shown. */
  gapsShownMax: 256,
  /** guess: at 1.3 KiB for the largest record this stays below `frameBytesMax`. */
  recordsPerFrameMax: 32,

  // Events
  /** design: characters of one message. */
  messageCharactersMax: 4_000,
  /** design: 4,000 characters of at most 4 bytes. */
  bodyBytesMax: 16_000,
  /** guess: one character as people see it, with its joiners. */
  emojiBytesMax: 64,
  /** paper-like (gossip.md 7.2): other authors' heads named by one event. */
  depsMax: 4,
  /** design (gossip.md 7.2): one event that is pushed at once rather than announced. */
  eagerBytesMax: 1_100,
  nameCharactersMax: 32,
  roomNameCharactersMax: 32,
  /** guess: one line. */
  purposeCharactersMax: 200,
  /** guess: a hundred years. */
  maxAgeMsMax: 3_155_760_000_000,

  // Clock (gossip.md 7.3)
  /** design: room for 2^40 successors below 2^53, so that no hostile stamp runs the order over. */
  stampMax: Number.MAX_SAFE_INTEGER - 2 ** 40,
  /** design: receiving never moves the local clock further than this beyond the estimated present. */
  clockLeadMaxMs: 60_000,
  /** design: an event may be at most this much later than its latest known ancestor. */
  effectiveLeadMaxMs: 30 * 24 * 3_600_000,
  /** design: two neighbours must agree within this, or the own clock is used. */
  clockAgreementMs: 600_000,
  /** guess: below this a clock that is wrong misleads nobody. */
  clockToldMinutesMin: 2,
  /** guess: the offset moves at most this much per heartbeat. */
  clockSlewMs: 500,

  // Rooms and feeds
  /** guess: rooms of others whose names are asked for at once, and for how long an answer is taken. */
  roomsAskedMax: 64,
  roomAnswerMs: 30_000,
  /** guess: name, purpose, owner and nonce as JSON, each character escaped at worst. */
  roomCardCharactersMax: 2_048,
  /** guess */
  roomsMax: 64,
  /** guess: rooms that this device carries for others. */
  carriedRoomsMax: 64,
  /** guess: carried rooms that one neighbour alone speaks of, and for how long. */
  unprovenRoomsMax: 4,
  unprovenMs: 600_000,
  /** Both together: what a frame may name. */
  roomsToldMax: 128,
  /** guess: how often is looked for what has become too old or too much. */
  retentionIntervalMs: 10_000,
  /** guess: feeds that are read at once to let go of their beginning. */
  lettingGoMax: 8,
  /** guess: above so much too much several feeds lose their beginning at once. */
  bytesAtOnce: 1_048_576,
  /** guess: feeds of which a neighbour keeps less, remembered per link. */
  floorsMax: 8_192,
  /** design: there was no meshchat before 2025; a clock that says so is wrong, and its events have no age. */
  agingFromMs: 1_735_689_600_000,
  /** guess: feeds kept per room; a flood of new keys stops here. */
  feedsPerRoomMax: 4_096,
  /** guess: incarnations of one device; each is a wiped or restored store. */
  feedsPerDeviceMax: 64,
  /** guess: versions of one device's feeds that are kept. */
  branchesPerDeviceMax: 64,
  /** guess: ends of one device's feeds that hang on nothing; anybody can make some. */
  loosePerDeviceMax: 8,
  /** guess: holes of one feed; what would make more is asked for later. */
  heldRangesMax: 256,
  /** guess: runs that are compared with the store at once, and forks that wait to be ended. */
  comparisonsMax: 16,
  /** guess: feeds per link that seem to have forked. */
  doubtsMax: 256,
  /** guess: devices whose presence is remembered. */
  presencesMax: 1_024,
  /** design (Message states): receipts by name up to this many people. */
  receiptPeopleMax: 64,
  /** design (Message states): counts by site are told this often at most. */
  tallyIntervalMs: 60_000,
  /** guess: what was said is held by everybody near after this. */
  tallySettleMs: 10_000,
  /** guess: what one tally of one stretch takes with its share of a packet, and what all may take of a radio link (B18). */
  tallyBytes: 172,
  tallyBytesPerSecond: 25,
  /** guess: a device tells its site so often that it holds a minute. */
  tallyTimes: 2,
  /** guess: two hours. */
  tallyLevelMax: 7,
  tallyStretchesMax: 32,
  /** guess: minutes of a room in which something was said, and own messages of each. */
  tallyMinutesMax: 256,
  tallyOwnMax: 256,
  /** guess: how often a device tells how far it has read. */
  readMarkIntervalMs: 5_000,
  /** guess: stretches of an own feed of which different numbers of people at a site hold all; the oldest go. */
  countRangesMax: 64,
  /** guess: counts that are kept, one for each site and own feed. */
  countsPerRoomMax: 1_024,
  receiptEntriesMax: 16,
  /** guess: ranges of one feed that a receipt may name. */
  receiptRangesMax: 4,
  /** guess: receipts kept per room, the oldest go first. */
  receiptsPerRoomMax: 4_096,

  // Overlay
  /** design decision: live connections of one browser. */
  linksMax: 16,
  /** guess: WebSockets are cheap; as many as a helper has browsers. */
  residentLinksMax: 1_024,
  /** design (gossip.md 7.5) */
  dialsPerMinuteMax: 24,
  /** measured: 9 to 18 s on the worst link measured, so not less. */
  dialTimeoutMs: 30_000,
  /** guess: first wait after a failed dial; doubles up to `redialMaxMs`. */
  redialMinMs: 3_000,
  /** guess: ten peers out of reach cost 40 of the page's 300 connections an hour. */
  redialMaxMs: 900_000,
  /** guess: between sites, where there is one to dial: 12 of the page's 300 connections an hour. */
  redialSiteMaxMs: 300_000,
  /** guess: the peer with the larger id lets the other dial first. */
  dialPolitenessMs: 2_500,
  /** measured: Chromium counts 500 per page and returns them late; stay well below. */
  peerConnectionsPerPageMax: 300,

  /** guess: two missed heartbeats and some. */
  linkSilentMs: 12_000,
  linkSilentPairMs: 3_500,
  linkSilentRadioMs: 25_000,
  /** measured (gossip.md §1.2): keeping a link costs 242 B/s, making one 4,867 B; so long costs as much as either. */
  linkIdleMs: 20_000,
  /** guess: a link that the other side ends within this had no place there. */
  linkYoungMs: 60_000,
  /** guess: links of a view that has become too large are given up one by one. */
  trimIntervalMs: 15_000,
  /** guess: a question for a place goes through a helper or a few peers. */
  askTimeoutMs: 5_000,
  /** guess: a peer without a place is asked again after this. */
  declinedMs: 20_000,
  /** guess: a promised place is kept while the other side connects. */
  promiseMs: 15_000,
  /** design (gossip.md 7.5): replacements tried at once. */
  parallelDialsMax: 3,

  /** guess: a timer that fires this much late means that this device is busy or in the background. */
  lateMs: 1_500,
  lateFactorMax: 4,
  /** guess: how fast trust in the own timers returns. */
  patienceStep: 0.1,
  /** guess: after saying so, a link is hung up. */
  closingMs: 1_000,
  /** guess: differing heartbeats before records are announced again. */
  patienceMax: 64,
  /** guess: records announced to one link at once. */
  recordsAnnouncedMax: 2_048,

  // View inside a site: paper (HyParView p. 9) scaled by gossip.md 7.5
  fullMeshMax: 5,
  smallSiteMax: 8,
  activeViewMax: 4,
  activeViewSmall: 6,
  passiveViewMax: 24,
  activeWalk: 6,
  passiveWalk: 3,
  shuffleActive: 3,
  shufflePassive: 4,
  shuffleIntervalMs: 60_000,
  /** design: more often in the first two minutes. */
  shuffleFirstMs: 10_000,
  shufflesFirst: 12,
  /** guess: walks whose answer may still come. */
  walksMax: 64,
  /** guess: who stands beside whom must have stayed the same for so long before it is worth a connection. */
  ringSettleMs: 3_000,

  // Sites and gateways
  /** guess: one radio hop of good quality; inside a site a hop costs 1 (gossip.md 7.6). */
  lanCost: 1,
  radioCost: 10,
  /** guess: a way between sites that are not neighbours. */
  farCost: 200,
  /** guess */
  pathCostMax: 16_383,
  nearSitesMax: 32,
  sitesMax: 512,
  /** guess: below `radioLinksMax`, so that spares and stand-ins have a place. */
  treeDegreeMax: 6,
  /** design (gossip.md 7.5): links between sites that one gateway holds. */
  radioLinksMax: 8,
  /** guess: a site that nobody speaks for is claimed by its first candidate after this, by the next a step later. */
  claimDelayMs: 1_000,
  claimStepMs: 1_500,
  /** guess: changes of a site collect before its word is said. */
  siteWordDelayMs: 2_000,
  /** guess: a count of people alone is not worth saying more often. */
  siteWordIntervalMs: 10_000,
  /** guess: in a large site one person more is worth less. */
  siteSmallMax: 16,
  siteWordSlowMs: 60_000,
  /** guess: changes that come together are looked at together. */
  upkeepPauseMs: 200,
  /** guess: what a site is linked to is looked at this often. */
  upkeepIntervalMs: 1_000,

  // Chat lane (gossip.md 7.6)
  /** guess: type, flags, numbers and answers of a packet. */
  packetHeadBytesMax: 14,
  notesPerPacketMax: 256,
  laneQueueMax: 512,
  /** design */
  laneTriesMax: 6,
  laneTimeoutMinMs: 60,
  laneTimeoutMaxMs: 2_000,
  /** measured (tests/bench/chat): where packets get lost, waiting longer is what people notice. */
  laneTimeoutLossyMs: 30,
  laneLossyTimeoutFrom: 0.03,
  /** guess: before a round trip was measured. */
  laneTimeoutFirstMs: 250,
  /** guess: a link whose answers get lost this often hears them twice. */
  laneLossyFrom: 0.01,
  laneAckAgainMs: 20,

  // Broadcast tree
  /** design (gossip.md 7.6): announcements wait for company. */
  announceMs: 250,
  announceRadioMs: 2_000,
  announcementsMax: 128,
  /** guess: receipts that wait for company on one link between sites; the oldest go first, sync brings them. */
  waitingMax: 512,
  announcersMax: 8,
  /** design: not before the eager copy can have come. */
  graftDelayMs: 150,
  graftRetryMs: 500,
  graftTriesMax: 6,
  /** guess: a person writes two a second at most, a program that relays others some more. */
  authorPerSecond: 16,
  /** guess: a pasted log, four runs at once. */
  authorBurst: 256,
  /** guess */
  quotaAuthorsMax: 4_096,
  missingMax: 4_096,
  /** paper: Plumtree §3.8, by 7 hops; ours is a cost. */
  treeThreshold: 7,
  treeSettleMs: 10_000,
  /** guess: longer than a round trip; copies that were under way at a prune do not make another one. */
  pruneAgainMs: 500,
  /** paper-like (gossipsub v1.0: two minutes): longer than any copy is under way. */
  seenMs: 120_000,
  /** guess */
  seenMax: 8_192,
  itemCacheMax: 1_024,
  itemCacheBytesMax: 1_048_576,
  itemCacheMs: 60_000,

  // Presence
  /** guess: how often somebody who writes says so; shown for twice as long. */
  typingIntervalMs: 4_000,
  /** guess: one line beside a name. */
  statusCharactersMax: 64,
  /** design (`ux.md` §4.3): colours that somebody can choose. */
  coloursMax: 12,
  /** guess: one heartbeat per link. */
  heartbeatIntervalMs: 5_000,
  /** guess: heartbeats that differ before a spare way between sites compares rooms itself. */
  spareMismatches: 12,
  /** design: asleep lasts at most this long. */
  asleepMaxMs: 24 * 3_600_000,
  /** design: who was seen in a room this recently counts as its audience. */
  audienceMs: 24 * 3_600_000,
  /** guess: between the primary gateway and its standby; two missed and some, and a site is without its speaker for 5 s at most (B8). */
  heartbeatPairMs: 1_500,
  /** guess: between sites, where every byte is dear. */
  heartbeatRadioMs: 10_000,
  /** guess: how long a suspected peer has to answer for itself. */
  suspicionMs: 4_000,
  /** guess: not everybody who hears that a socket is gone says so at once; most hear it from the first one. */
  doubtSpreadMs: 3_000,
  /** guess: one raised by several at once counts as one. */
  suspicionRoundMs: 16_000,
  /** guess: one member of the site that no link leads to is asked this often whether it lives. */
  probeIntervalMs: 10_000,
  /** guess: peers named in one roster. */
  rosterMax: 512,
  /** guess: people of a site who said that they are here and are not heard, as told to other sites. */
  goneMax: 64,
  /** guess: people of one site. */
  peoplePerSiteMax: 65_535,
  peoplePerMeshMax: 16_777_215,
  /** guess: up to this many people in reach their names cross every radio link; beyond, with their first message. */
  namedPeopleMax: 256,

  // Reconciliation
  /** guess */
  wantsPerLinkMax: 16,
  /** guess: events asked for and not there yet, per link. */
  wantedEventsMax: 256,
  /** R16. guess: what one link is asked for at first, at least, and how it grows with each answer in time. */
  allowanceFirst: 64,
  allowanceMin: 4,
  allowanceStep: 8,
  /** measured (tests/bench/chat; RFC 6817 allows 100): what history adds to the way of everything else. */
  bulkDelayMs: 60,
  /** guess (RFC 6817, base history): a way that has become longer is believed after twice this. */
  leastAnswerAgeMs: 60_000,
  /** design (gossip.md 7.6): chat waits for no more than one frame of history; of text these are three packets (F7). */
  answerBytesMax: 7_168,
  /** rfc (RFC 1951 §2): as far back as a repetition can point; what is kept of a bulk lane, each way. */
  packWindowBytes: 32_768,
  /** guess: beyond so many missing events the newest of all feeds come first, before the older ones of some. */
  missingMuch: 1_024,
  /** guess: wants of one link that are read from the store at once, to be answered together. */
  servingMax: 8,
  /** design (E7): room 16, feed 48, number 5, the event before 32, count 1 and signature 64 of a run. */
  runHeadBytes: 166,
  /** guess: what is younger should have come by the tree. */
  recentMs: 60_000,
  /** guess: an unanswered want is forgotten, and somebody else is asked. */
  wantTimeoutMs: 10_000,
  /** guess: wants waiting to be answered, per link. */
  servingQueueMax: 64,
  /** guess: how long changes collect before they are announced or confirmed. */
  batchDelayMs: 200,

  /** guess: symbols of a first sketch: ten differing feeds in one packet, 19 times out of 20. */
  sketchFirst: 27,
  sketchGrowth: 2.5,
  /** guess: beyond, telling all feeds is hardly dearer. */
  sketchMax: 1_024,
  /** guess: at 16 ranges each this stays below `frameBytesMax`. */
  listEntriesMax: 200,
  /** guess: so few events are sent unasked when they turn out to be missing. */
  pushEventsMax: 32,

  // Signature checks
  /** guess: per link; a plain page checks about 600 a second (measured: `gossip.md` §7.11). */
  checksPerSecondMax: 200,
  checksBurst: 2_000,
  /** guess: frames of one link that wait for a check. */
  checksQueueMax: 1_024,

  // Signals
  /** guess: an offer with its candidates is about 1 KiB. */
  signalBytesMax: 16_384,
  /** guess: across a site, some sites, and a site. */
  signalHopsMax: 24,
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

  // Own posts
  /** guess: posts waiting for storage. */
  outboxMax: 512,
} as const
