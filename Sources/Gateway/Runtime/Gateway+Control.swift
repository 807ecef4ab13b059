internal import Hub
internal import Media
internal import NIOCore
internal import Transport

extension Gateway: GatewayControl {
    package func lalInfo() async -> LalInfo {
        LalInfo(
            serverID: configuration.serverId,
            binInfo: "gbgate \(Self.version). runtime=linux",
            startTime: startTime.lal
        )
    }

    package func group(_ streamName: String) async throws -> GroupStat {
        let relays = await relays().filter { $0.streamName == streamName }
        guard let stream = await snapshot(of: streamName) else {
            // A pull that is still connecting makes a group too, as in lal.
            guard relays.contains(where: { $0.state != "ended" }) else { throw ControlError.groupNotFound }
            return GroupStat(streamName: streamName, appName: "", relays: relays)
        }
        return GroupStat(stream, await media.reports(), relays)
    }

    package func allGroups() async -> [GroupStat] {
        let reports = await media.reports()
        let relays = Dictionary(grouping: await relays(), by: \.streamName)
        return await snapshot().map { GroupStat($0, reports, relays[$0.name] ?? []) }
    }

    /// The streams with all their viewers: those of HLS have no connection of their own, and the Hub only counts them.
    private func snapshot() async -> [StreamSnapshot] {
        let viewers = Dictionary(grouping: hls?.viewers() ?? [], by: \.stream)
        return await hub.snapshot().map { stream in
            var stream = stream
            stream.viewers += (viewers[stream.name] ?? []).map(\.snapshot)
            return stream
        }
    }

    private func snapshot(of stream: String) async -> StreamSnapshot? {
        var snapshot = await hub.snapshot(of: stream)
        snapshot?.viewers += (hls?.viewers(of: stream) ?? []).map(\.snapshot)
        return snapshot
    }

    package func hlsStreams() async -> [HLSStat] {
        let troubles = hlsFolders?.troubles ?? [:]
        return (hls?.statistics ?? []).map { output in
            let trouble = output.isTransportStream ? troubles[output.stream] : nil
            return HLSStat(
                streamName: output.stream,
                container: output.isTransportStream ? "ts" : "fmp4",
                memoryBytes: output.memory,
                waiting: output.waiting,
                droppedSegments: output.droppedSegments + (trouble?.droppedSegments ?? 0),
                droppedFrames: output.droppedFrames,
                fault: trouble?.fault ?? ""
            )
        }
    }

    package func kick(streamName: String, sessionID: String) async throws {
        if await relaying.kick(sessionID, of: streamName) { return }
        if hls?.kick(session: sessionID, of: streamName) == true { return }
        switch await hub.kick(session: sessionID, of: streamName) {
        case nil: return
        case .noStream: throw ControlError.groupNotFound
        case .noSession: throw ControlError.sessionNotFound
        }
    }

    package func startRelayPull(_ request: StartRelayPullRequest) async throws -> RelayPullStarted {
        try await relaying.startPull(request)
    }

    package func stopRelayPull(streamName: String) async throws -> RelayPullStopped {
        try await relaying.stopPull(streamName)
    }

    package func startRelay(_ request: StartRelayRequest) async throws -> RelayTask {
        try await relaying.startRelay(request)
    }

    package func stopRelay(streamName: String) async throws -> RelayTask {
        try await relaying.stopRelay(streamName)
    }

    package func startRelayFromStream(_ request: StartRelayFromStreamRequest) async throws -> RelayPushStarted {
        try await relaying.startRelay(request)
    }

    package func relays() async -> [RelayStat] {
        await relaying.stats(of: hub.snapshot())
    }

    package func addIPBlacklist(_ request: IPBlacklistRequest) async throws {
        let ip = request.ip
        // As the system writes it: an IPv6 address has several forms.
        guard let address = (try? SocketAddress(ipAddress: ip, port: 0))?.ipAddress else {
            throw ControlError.paramMissing("ip is \"\(ip)\", expected an IP address")
        }
        blacklist.add(address, for: .seconds(Int64(min(max(request.durationSec, 0), 315_360_000))), now: .now())
    }

    package func startRTPPub(_ request: StartRTPPubRequest) async throws -> RTPPubStarted {
        try await publications.start(request, now: .now())
    }

    package func stopRTPPub(_ target: RTPPubTarget) async throws -> RTPPubStopped {
        try await publications.stop(target)
    }

    package func gb28181Invite(_ request: GB28181InviteRequest) async throws -> GB28181InviteStarted {
        guard let signalling else { throw ControlError.inviteFailed("gb28181 server not enabled") }
        return try await signalling.invite(request)
    }

    package func gb28181Bye(_ request: GB28181ByeRequest) async throws -> GB28181ByeDone {
        guard let signalling else { throw ControlError.byeFailed("gb28181 server not enabled") }
        return try await signalling.bye(request)
    }

    package func gb28181Devices() async -> [GB28181DeviceStat] {
        await signalling?.deviceStats() ?? []
    }

    package func gb28181Messages(deviceID: String) async throws -> [SIPMessageRecord] {
        guard let signalling else { throw ControlError.deviceNotFound(deviceID) }
        return try await signalling.messages(of: deviceID)
    }

    package func dump(_ request: DumpRequest) async throws -> DumpState {
        guard await hub.snapshot(of: request.streamName) != nil else { throw ControlError.groupNotFound }
        var handle = await publications.handle(ofStream: request.streamName)
        if handle == nil { handle = await signalling?.handle(ofStream: request.streamName) }
        guard let handle, request.sessionID.isEmpty || request.sessionID == handle.id else {
            throw ControlError.sessionNotFound
        }
        let file = try await media.dump(handle, enable: request.enable, now: .now())
        return DumpState(streamName: request.streamName, sessionID: handle.id, file: file)
    }
}

extension GroupStat {
    /// One stream as lal shows it; what RTP says is put to its camera's session.
    init(_ stream: StreamSnapshot, _ reports: [String: MediaReport], _ relays: [RelayStat] = []) {
        var publisher = SessionStat.none
        var pull = SessionStat.none
        if let snapshot = stream.publisher, snapshot.info.role == .pull {
            pull = SessionStat(snapshot)
            // The address is known when the connection is, after its session was made.
            pull.remoteAddr = relays.first { $0.sessionID == pull.sessionID }?.remoteAddr ?? pull.remoteAddr
        } else if let snapshot = stream.publisher {
            publisher = SessionStat(snapshot)
            if let report = reports[snapshot.info.id] {
                publisher.rtp = report.rtp
                publisher.remoteAddr = report.remoteAddress
            }
        }
        self.init(
            streamName: stream.name,
            appName: stream.app,
            audioCodec: stream.audio?.codec.rawValue ?? "",
            videoCodec: stream.video?.codec.rawValue ?? "",
            videoWidth: stream.video?.width ?? 0,
            videoHeight: stream.video?.height ?? 0,
            pub: publisher,
            // lal shows pushes nowhere: here they are in `relays`.
            subs: stream.viewers.filter { $0.info.role != .push }.map { SessionStat($0) },
            pull: pull,
            inFramePerSec: stream.framesPerSecond.map { FrameCount(unixSec: $0.unixSecond, v: $0.count) },
            relays: relays.isEmpty ? nil : relays
        )
    }
}

extension SessionStat {
    init(_ session: SessionSnapshot) {
        let isInput = session.info.role == .publisher || session.info.role == .pull
        self.init(
            sessionID: session.info.id,
            protocol: session.info.kind.protocolName,
            baseType: session.info.role.rawValue,
            remoteAddr: session.info.remoteAddress,
            startTime: WallTime(unixMilliseconds: session.info.startTime).lal,
            readBytesSum: session.bytes.readBytes,
            wroteBytesSum: session.bytes.wroteBytes,
            bitrateKbits: isInput ? session.bytes.readKilobits : session.bytes.writeKilobits,
            readBitrateKbits: session.bytes.readKilobits,
            writeBitrateKbits: session.bytes.writeKilobits,
            droppedFrames: session.skips == 0 ? nil : session.skips
        )
    }
}
