/** The bounds of files, like those of `../limits.ts`: with where each number came from. */
export const fileLimits = {
  /** design (issue 6): what is hashed, asked for and resumed by. */
  chunkBytes: 16_384,
  /** guess: 16 GiB; the hashes of its chunks are 32 MiB. */
  chunksMax: 1_048_576,
  /** guess: hashes that come together, 2 KiB for 1 MiB of content; a power of two, so that they are one node of the tree. */
  blockChunks: 64,
  /** design: chunks of 2^20 in blocks of 2^6. */
  pathMax: 14,
  /** guess: a map with more holes is told without its end. */
  mapRunsMax: 4_096,
  /** guess: files that one frame may name. */
  filesPerFrameMax: 16,
  /** guess: ranges that one frame may ask for. */
  rangesPerFrameMax: 32,
  /** guess: blocks whose hashes one frame may ask for. */
  blocksPerFrameMax: 8,
  /** guess: as far as a file is fetched through others; a way that leads in a circle is counted out by it. */
  hopsMax: 12,
  /** guess: as far as a site is searched; six links each lead to everybody of 200 in four steps. */
  siteHopsMax: 5,
  /** guess: whoever has it may be about to say so. */
  searchAfterMs: 2_000,
  /** guess: who wants a file says so again after this, and is forgotten after three times as long. */
  wantIntervalMs: 15_000,
  wantLifetimeMs: 45_000,
  /** design (gossip.md §7.10): what one has is told to one link at most this often; guess: within a site sooner. */
  offerIntervalMs: 2_000,
  offerNearIntervalMs: 200,
  /** design (gossip.md §7.10): chunks asked of one link and not there yet: twice what is under way */
  depthMin: 2,
  depthMax: 64,
  /** guess: what is asked for comes for so long, however short the way is: pages, workers and disks answer late. */
  aheadMinMs: 60,
  /** guess: a source that has sent nothing of what it was asked for is asked for nothing new, and others are. */
  answerMs: 20_000,
  /** guess: doubled so often, up to 11 minutes. */
  silencesMax: 5,
  /** guess: more than all that one link is asked for at once, where others had it and have it no more; an eighth of what it held. */
  refusalsMax: 128,
  /** guess: chunks that are looked at together for the rarest. */
  choiceChunks: 512,
  /**
   * measured (gossip.md §1.13): parts of one packet beside 16 KiB at once: chat waits 143 ms instead of 214. One packet has
   * 1,160 bytes, 18 of which are the part's own, and some are what SCTP says of arrivals; a part may fill more of them.
   */
  smallPartBytes: 1_100,
  packetBytes: 1_130,
  partPacketsMax: 3,
  /** guess: bytes per second for each packet of a part: 18 ms each; or 65 for a whole chunk, which costs fewer packets. */
  packetRate: 65_000,
  wholeFromRate: 250_000,
  /** guess: what a queue may cost a message; LEDBAT++ takes 60 ms, RFC 6817 at most 100. */
  queueTargetMs: 30,
  /** paper (LEDBAT++ §4): from this rate on, bytes per second (guess): there it is workers and disks that take their time. */
  queueTargetFastMs: 60,
  fastFromRate: 1_000_000,
  /** guess: never fewer under way; RFC 6817 has 2, but the other side says only after every second that it has come. */
  windowParts: 3,
  lossyWindowParts: 8,
  untoldBytes: 2_200,
  /** guess: of the last 64 so many are missing before each part is answered: one that was sent twice leaves a hole. */
  holesMin: 3,
  /** guess: so many parts count for how much is lost; above this share each part is one packet. */
  lossMemory: 32,
  lossySharePackets: 0.02,
  /** measured: on one machine the receiving socket dropped 1,133 of 106,430 packets beside busy pages; each is one of a chunk's 15. */
  lossyShareChunks: 0.25,
  /** rfc (9002 §6.1.1, kPacketThreshold). */
  overtakenParts: 3,
  /** guess: longer than a message takes on a slow link; doubled while nothing is heard. */
  timeoutMinMs: 200,
  timeoutCleanMs: 1_000,
  timeoutMaxMs: 5_000,
  timeoutsMax: 6,
  /** guess: the window grows by up to so much in a round trip. */
  growthShare: 0.25,
  /** guess: as much as is asked for at most. */
  windowBytesMax: 1_048_576,
  /** guess: over so long the shortest round trip counts (RFC 6817 §2.4.2, CURRENT_FILTER, there as a number of them). */
  recentMs: 100,
  /** rfc (6817 §2.4.2): minima of a minute; guess: two of them, since the path is bared each time. */
  baseIntervalMs: 60_000,
  /** guess: long enough for a rate. */
  rateIntervalMs: 50,
  /** guess: pieces of a chunk that lie apart; its parts are 15 where each is a packet. */
  stretchesMax: 16,
  /** guess: asked for by one link and not sent yet. */
  servingMax: 128,
  /** guess: read from the store at once for one link; each goes to a worker and back. */
  readingMax: 32,
  /** guess: chunks that are being stored; beyond, nothing more is asked for. */
  writingMax: 32,
  /** guess: as often hashes are fetched again that the store has lost; more of it is a disk that fails. */
  unknownsMax: 256,
  /** guess: files that this device carries between others. */
  relayedMax: 64,
  relayedPerLinkMax: 16,
  /** guess: files that others may ask one device to keep; and the share of its room that they may take. */
  keptMax: 256,
  keptPerPeerMax: 32,
  keptShare: 0.5,
  /** guess: of what is kept something comes within so long, or nobody has it. */
  keptUnseenMs: 600_000,
  /** guess: questions to one link that wait for their answer. */
  askedToKeepMax: 64,
  /** guess: the longest names that file systems take have 255 bytes; a copy of it gets a number. */
  nameCharactersMax: 120,
  nameBytesMax: 240,
  /** guess: what a picture's sender may say of its sides. */
  pictureSideMax: 100_000,
  /** guess: a picture is known again from so few pixels; with them a manifest still fits one packet. */
  previewSideMax: 20,
  /** guess: how often the screen is told how far a file is. */
  progressIntervalMs: 500,
} as const
