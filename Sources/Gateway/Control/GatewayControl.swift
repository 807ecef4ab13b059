package import Logging

/// Everything that the HTTP API may ask of the running gateway.
///
/// The names and the answers are lal's (API v0.4.9) and its GB28181 fork's. Every method may be called from any task;
/// a refusal is a ``ControlError`` with lal's code. Any other error that escapes becomes an HTTP 500.
package protocol GatewayControl: Sendable {
    /// Who answers: versions, start time and the operator's `server_id`.
    func lalInfo() async -> LalInfo

    /// The process, its machine and its settings, for the web console.
    func serverStat() async -> ServerStat

    /// Logs from this level on, in the whole process.
    func setLogLevel(_ level: Logger.Level) async -> LogLevelStat

    /// One stream. Throws 1001 when no such stream is alive.
    func group(_ streamName: String) async throws -> GroupStat

    /// Every stream, in no particular order.
    func allGroups() async -> [GroupStat]

    /// Ends one session of a stream: a viewer, a publisher, a relay (which does not try again), or a camera's session
    /// (kick = BYE and close).
    /// Throws 1001 (no such stream) or 1003 (no such session in it).
    func kick(streamName: String, sessionID: String) async throws

    /// Begins to pull a stream from another server and does not wait for it. Throws 2001.
    func startRelayPull(_ request: StartRelayPullRequest) async throws -> RelayPullStarted

    /// Ends the pull of a stream, at any stage. Throws 1001 or 1003.
    func stopRelayPull(streamName: String) async throws -> RelayPullStopped

    /// Pulls and pushes, and answers when both run; nothing stays when one fails. A stream that is relayed already is
    /// joined. Throws 2003.
    func startRelay(_ request: StartRelayRequest) async throws -> RelayTask

    /// Ends what ``startRelay(_:)`` and ``startRelayFromStream(_:)`` began. Throws 1001 or 2004.
    func stopRelay(streamName: String) async throws -> RelayTask

    /// Pushes a stream that is here, and answers when the push runs. Throws 1001 or 2003.
    func startRelayFromStream(_ request: StartRelayFromStreamRequest) async throws -> RelayPushStarted

    /// Every relay, and those of the last minutes that ended.
    func relays() async -> [RelayStat]

    /// Refuses all new connections of an address for a time.
    func addIPBlacklist(_ request: IPBlacklistRequest) async throws

    /// The streams that are cut into HLS segments now.
    func hlsStreams() async -> [HLSStat]

    /// Records a stream until it is stopped. Throws 1002 or 2101.
    func startRecord(_ request: StartRecordRequest) async throws -> RecordTask

    /// Ends one recording of a stream, or all. Throws 1003.
    func stopRecord(streamName: String, recordID: Int?) async throws -> RecordTask

    /// The recordings that are under way.
    func records() async -> [RecordStat]

    /// What was recorded, the oldest first.
    func recordFiles(_ request: RecordFilesRequest) async throws -> RecordFiles

    /// A recorded file. Throws 2102.
    func recordFile(_ id: Int64) async throws -> ControlDownload

    /// A playlist of what was recorded as HLS, with `query` behind each URI, or a segment of it. Throws 2102.
    func recordHLS(streamName: String, file: String, query: String) async throws -> ControlDownload

    /// Deletes a recorded file. Throws 2101 or 2102.
    func deleteRecord(_ id: Int64) async throws

    /// The newest key frame of a stream as JPEG, or, raw or without an ffmpeg to make one, as H.264 or H.265. Throws 1001 or 2103.
    func snapshot(streamName: String, isRaw: Bool) async throws -> ControlDownload

    /// Opens a bare PS/RTP port without SIP. Throws 2002 when the port or the stream name is taken.
    func startRTPPub(_ request: StartRTPPubRequest) async throws -> RTPPubStarted

    /// Closes what ``startRTPPub(_:)`` opened. Throws 1001 or 1003.
    func stopRTPPub(_ target: RTPPubTarget) async throws -> RTPPubStopped

    /// Invites a channel and waits for the camera's final answer. A channel that streams already, or is being invited,
    /// is joined: the answer carries the same `session_id`. Throws 3001 or 3002, the latter with the SIP status.
    func gb28181Invite(_ request: GB28181InviteRequest) async throws -> GB28181InviteStarted

    /// Takes one invitation back; the last one sends BYE. Throws 3001 or 3003.
    func gb28181Bye(_ request: GB28181ByeRequest) async throws -> GB28181ByeDone

    /// Every device known, online or not, with its channels.
    func gb28181Devices() async -> [GB28181DeviceStat]

    /// Asks a device for its catalog and does not wait for it; a query that is under way is joined. Throws 3001.
    func gb28181Catalog(deviceID: String) async throws

    /// The last SIP messages from and to a device, oldest first. Throws 3001.
    func gb28181Messages(deviceID: String) async throws -> [SIPMessageRecord]

    /// Switches the raw dump of a stream's RTP input on or off. Throws 1001 or 1003.
    func dump(_ request: DumpRequest) async throws -> DumpState
}
