import Gateway
import Synchronization

/// A gateway with one camera, one stream and a memory of what it was asked. docs/api/README.md shows its answers.
final class FakeControl: GatewayControl {
    private let calls = Mutex<[String]>([])

    /// What was asked, oldest first.
    var asked: [String] { calls.withLock { $0 } }

    private func note(_ call: String) {
        calls.withLock { $0.append(call) }
    }

    static let device = "34020000001320000001"
    static let channel = "34020000001320000002"
    static let start = "2026-11-21 02:33:04.279 Z UTC"

    static let publisher = SessionStat(
        sessionID: "PSPUB1",
        protocol: "PS",
        baseType: "PUB",
        remoteAddr: "192.0.2.64:15060",
        startTime: "2026-11-21 02:33:53.094 Z UTC",
        readBytesSum: 3_197_082,
        bitrateKbits: 588,
        readBitrateKbits: 588,
        rtp: RTPStat(transport: "udp", ssrc: 200_000_001, packets: 2410, lost: 1, jitterMs: 1.5)
    )

    static let viewer = SessionStat(
        sessionID: "FLVPUBSUB2",
        protocol: "FLV",
        baseType: "SUB",
        remoteAddr: "127.0.0.1:42956",
        startTime: "2026-11-21 02:34:01.5 Z UTC",
        wroteBytesSum: 868_079,
        bitrateKbits: 590,
        writeBitrateKbits: 590
    )

    static let group = GroupStat(
        streamName: "test110",
        appName: "live",
        audioCodec: "PCMA",
        videoCodec: "H264",
        videoWidth: 640,
        videoHeight: 360,
        pub: publisher,
        subs: [viewer],
        inFramePerSec: [FrameCount(unixSec: 1_795_228_476, v: 24), FrameCount(unixSec: 1_795_228_475, v: 25)]
    )

    func lalInfo() async -> LalInfo {
        LalInfo(serverID: "1", binInfo: "gbgate 0.1.0", startTime: Self.start)
    }

    func group(_ streamName: String) async throws -> GroupStat {
        guard streamName == "test110" else { throw ControlError.groupNotFound }
        return Self.group
    }

    func allGroups() async -> [GroupStat] {
        [
            GroupStat(
                streamName: "waiting",
                appName: "live",
                inFramePerSec: []
            )
        ]
    }

    func kick(streamName: String, sessionID: String) async throws {
        note("kick \(streamName) \(sessionID)")
        guard streamName == "test110" else { throw ControlError.groupNotFound }
        guard sessionID == "FLVPUBSUB2" else { throw ControlError.sessionNotFound }
    }

    static let pull = RelayStat(
        streamName: "far",
        sessionID: "RTMPPULL1",
        direction: "pull",
        protocol: "RTMP",
        origin: "api",
        url: "rtmp://192.0.2.7/live/far?key=***",
        state: "waiting",
        remoteAddr: "192.0.2.7:1935",
        attempts: 3,
        lastError: "pull rtmp://192.0.2.7:1935/live/far: connect: Connection refused",
        nextRetryMs: 3400,
        startTime: start,
        readBytesSum: 868_079
    )

    func startRelayPull(_ request: StartRelayPullRequest) async throws -> RelayPullStarted {
        note(
            "pull \(request.url) \(request.streamName) \(request.pullTimeoutMs) \(request.pullRetryNum) "
                + "\(request.autoStopPullAfterNoOutMs)"
        )
        guard request.streamName != "test110" else {
            throw ControlError(.relayPullFailed, "lal.logic: in stream already exist at group")
        }
        return RelayPullStarted(streamName: "far", sessionID: "RTMPPULL1")
    }

    func stopRelayPull(streamName: String) async throws -> RelayPullStopped {
        note("stop pull \(streamName)")
        guard streamName == "far" else { throw ControlError.sessionNotFound }
        return RelayPullStopped(sessionID: "RTMPPULL1")
    }

    func startRelay(_ request: StartRelayRequest) async throws -> RelayTask {
        note(
            "relay \(request.pullURL) \(request.pushURL) \(request.streamName) \(request.timeoutMs) \(request.retryNum)"
        )
        return RelayTask(streamName: "far", pullSessionID: "RTMPPULL2", pushSessionID: "RTMPPUSH1")
    }

    func stopRelay(streamName: String) async throws -> RelayTask {
        note("stop relay \(streamName)")
        guard streamName == "far" else { throw ControlError(.stopRelayFailed, "stop relay fail") }
        return RelayTask(streamName: "far", pullSessionID: "RTMPPULL2", pushSessionID: "RTMPPUSH1")
    }

    func startRelayFromStream(_ request: StartRelayFromStreamRequest) async throws -> RelayPushStarted {
        note("push \(request.streamName) \(request.pushURL) \(request.timeoutMs) \(request.retryNum)")
        return RelayPushStarted(streamName: request.streamName, pushSessionID: "RTMPPUSH2")
    }

    func relays() async -> [RelayStat] {
        [Self.pull]
    }

    func addIPBlacklist(_ request: IPBlacklistRequest) async throws {
        note("ban \(request.ip) \(request.durationSec)")
    }

    func startRTPPub(_ request: StartRTPPubRequest) async throws -> RTPPubStarted {
        note("start \(request.streamName) \(request.port) \(request.timeoutMs) \(request.isTCPFlag)")
        guard request.port != 30_002 else {
            throw ControlError.rtpPubFailed("listen udp :30002: bind: address already in use")
        }
        return RTPPubStarted(streamName: request.streamName, sessionID: "PSPUB1", port: 30_000)
    }

    func stopRTPPub(_ target: RTPPubTarget) async throws -> RTPPubStopped {
        note("stop \(target)")
        return RTPPubStopped(streamName: "ps1", sessionID: "PSPUB1")
    }

    func gb28181Invite(_ request: GB28181InviteRequest) async throws -> GB28181InviteStarted {
        note(
            "invite \(request.deviceID) \(request.channelID) \(request.streamName) \(request.transport ?? .udp) \(request.port)"
        )
        guard request.deviceID == Self.device else { throw ControlError.deviceNotFound(request.deviceID) }
        guard request.transport != .tcpPassive else {
            throw ControlError.inviteFailed(
                channelID: request.channelID,
                sipStatus: 488,
                phrase: "Not Acceptable Here",
                facts: "offered TCP passive to 192.0.2.64:5060; set is_tcp_flag 0"
            )
        }
        guard request.channelID == Self.channel else { throw FakeFailure() }
        return RTPPubStarted(streamName: request.streamName, sessionID: "PSPUB2", port: 30_004)
    }

    func gb28181Bye(_ request: GB28181ByeRequest) async throws -> GB28181ByeDone {
        note("bye \(request.deviceID) \(request.channelID) \(request.streamName ?? "-")")
        return RTPPubStopped(streamName: "\(request.deviceID)_\(request.channelID)", sessionID: "PSPUB2")
    }

    func gb28181Devices() async -> [GB28181DeviceStat] {
        [
            GB28181DeviceStat(
                deviceID: Self.device,
                deviceName: "Front gate",
                status: "online",
                registerTime: "2026-11-21 10:33:04",
                keepaliveTime: "2026-11-21 10:34:04",
                channels: [
                    GB28181ChannelStat(
                        channelID: Self.channel,
                        channelName: "Camera 01",
                        status: "streaming",
                        streamName: "\(Self.device)_\(Self.channel)",
                        streamNumbers: [0, 1],
                        subStreams: [
                            .init(
                                streamNumber: 1,
                                status: "streaming",
                                streamName: "\(Self.device)_\(Self.channel)_1"
                            )
                        ],
                        manufacturer: "Hikvision",
                        parentID: Self.device,
                        ptzType: 3,
                        address: "Main street 1"
                    ),
                    GB28181ChannelStat(
                        channelID: "34020000001320000003",
                        channelName: "Camera 02",
                        status: "idle",
                        manufacturer: "Hikvision",
                        parentID: Self.device,
                        lastError:
                            "488 Not Acceptable Here (offered TCP passive to 192.0.2.64:5060); set is_tcp_flag 0",
                        lastErrorTime: "2026-11-21 10:34:11"
                    ),
                ],
                manufacturer: "Hikvision",
                model: "DS-2CD",
                firmware: "V5.7",
                transport: "udp",
                remoteAddr: "192.0.2.64:5060",
                userAgent: "IP Camera",
                catalogComplete: false,
                catalog: GB28181CatalogStat(
                    state: "querying",
                    received: 2,
                    total: 16,
                    time: "2026-11-21 10:34:12"
                )
            )
        ]
    }

    func gb28181Messages(deviceID: String) async throws -> [SIPMessageRecord] {
        guard deviceID == Self.device else { throw ControlError.deviceNotFound(deviceID) }
        return [
            SIPMessageRecord(
                time: Self.start,
                direction: .sent,
                transport: "udp",
                remoteAddr: "192.0.2.64:5060",
                text: "SIP/2.0 200 OK\r\nContent-Length: 0\r\n\r\n"
            )
        ]
    }

    func dump(_ request: DumpRequest) async throws -> DumpState {
        note("dump \(request.streamName) \(request.sessionID) \(request.enable)")
        return DumpState(streamName: request.streamName, sessionID: "PSPUB1", file: "dump/test110-PSPUB1.rfc4571")
    }
}

struct FakeFailure: Error {}
