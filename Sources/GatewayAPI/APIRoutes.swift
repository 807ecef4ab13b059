internal import Gateway
internal import Logging

/// One call of the API.
struct APIRoute: Sendable {
    /// What `data` is when the call is refused: its shape with empty values, as lal answers. Nil: no `data`.
    let emptyData: JSONValue?
    /// Does it; the result becomes `data`.
    let call: @Sendable (APIRequest, any GatewayControl) async throws -> JSONValue?
}

extension APIRoute {
    /// Every path. The method of a request is not looked at, as lal does not either.
    static let all: [String: APIRoute] = statistics.merging(control) { first, _ in first }
        .merging(relays) { first, _ in first }
        .merging(recording) { first, _ in first }

    private static let statistics: [String: APIRoute] = [
        "/api/stat/lal_info": APIRoute(emptyData: .null) { _, control in
            JSONTreeEncoder.tree(await control.lalInfo())
        },
        "/api/stat/server": APIRoute(emptyData: .null) { _, control in
            JSONTreeEncoder.tree(await control.serverStat())
        },
        "/api/stat/all_group": APIRoute(emptyData: .null) { _, control in
            JSONTreeEncoder.tree(AllGroups(groups: await control.allGroups()))
        },
        "/api/stat/group": APIRoute(emptyData: .null) { request, control in
            let name = try APIParameters(query: request).requiredString("stream_name")
            return JSONTreeEncoder.tree(try await control.group(name))
        },
        "/api/stat/gb28181_devices": APIRoute(emptyData: tree(GB28181Devices(devices: []))) { _, control in
            JSONTreeEncoder.tree(GB28181Devices(devices: await control.gb28181Devices()))
        },
        "/api/stat/gb28181_messages": APIRoute(
            emptyData: tree(GB28181Messages(deviceID: "", messages: []))
        ) { request, control in
            let deviceID = try APIParameters(query: request).deviceID("device_id")
            let messages = try await control.gb28181Messages(deviceID: deviceID)
            return JSONTreeEncoder.tree(GB28181Messages(deviceID: deviceID, messages: messages))
        },
    ]

    private static let control: [String: APIRoute] = [
        "/api/ctrl/kick_session": APIRoute(emptyData: nil) { request, control in
            let parameters = try APIParameters(body: request)
            try await control.kick(
                streamName: try parameters.requiredString("stream_name"),
                sessionID: try parameters.requiredString("session_id")
            )
            return nil
        },
        "/api/ctrl/start_rtp_pub": APIRoute(emptyData: emptyStart) { request, control in
            JSONTreeEncoder.tree(try await control.startRTPPub(try startRequest(APIParameters(body: request))))
        },
        "/api/ctrl/stop_rtp_pub": APIRoute(emptyData: emptyStop) { request, control in
            // lal has no such call; the one that users expect takes the name in the query or in a body.
            let parameters = try request.body.isEmpty ? APIParameters(query: request) : APIParameters(body: request)
            return JSONTreeEncoder.tree(try await control.stopRTPPub(try target(parameters)))
        },
        "/api/ctrl/gb28181_invite": APIRoute(emptyData: emptyStart) { request, control in
            JSONTreeEncoder.tree(try await control.gb28181Invite(try inviteRequest(APIParameters(body: request))))
        },
        "/api/ctrl/gb28181_bye": APIRoute(emptyData: emptyStop) { request, control in
            let parameters = try APIParameters(body: request)
            let name = try parameters.streamName() ?? ""
            let bye = GB28181ByeRequest(
                deviceID: try parameters.deviceID("device_id"),
                channelID: try parameters.deviceID("channel_id"),
                streamNumber: try streamNumber(parameters),
                streamName: name.isEmpty ? nil : name
            )
            return JSONTreeEncoder.tree(try await control.gb28181Bye(bye))
        },
        "/api/ctrl/gb28181_catalog": APIRoute(emptyData: nil) { request, control in
            try await control.gb28181Catalog(deviceID: try APIParameters(body: request).deviceID("device_id"))
            return nil
        },
        "/api/ctrl/log_level": APIRoute(emptyData: tree(LogLevelStat(logLevel: ""))) { request, control in
            let level = try logLevel(APIParameters(body: request).requiredString("level"))
            return JSONTreeEncoder.tree(await control.setLogLevel(level))
        },
        "/api/ctrl/dump_session": APIRoute(
            emptyData: tree(DumpState(streamName: "", sessionID: "", file: ""))
        ) { request, control in
            let parameters = try APIParameters(body: request)
            let dump = DumpRequest(
                streamName: try parameters.requiredStreamName(),
                sessionID: try parameters.string("session_id") ?? "",
                enable: try parameters.requiredBool("enable")
            )
            return JSONTreeEncoder.tree(try await control.dump(dump))
        },
    ]

    private static let emptyStart = tree(RTPPubStarted(streamName: "", sessionID: "", port: 0))
    private static let emptyStop = tree(RTPPubStopped(streamName: "", sessionID: ""))

    private static func tree(_ value: some Encodable) -> JSONValue {
        JSONTreeEncoder.tree(value)
    }

    private static func logLevel(_ name: String) throws -> Logger.Level {
        // Never less than errors: what goes wrong must be in the log.
        guard let level = Logger.Level(rawValue: name), level <= .error else {
            throw ControlError.paramMissing(
                "level is \"\(name)\", expected trace, debug, info, notice, warning or error"
            )
        }
        return level
    }

    private static func startRequest(_ parameters: APIParameters) throws -> StartRTPPubRequest {
        let request = StartRTPPubRequest(
            streamName: try parameters.requiredStreamName(),
            port: try parameters.integer("port", default: 0),
            timeoutMs: try parameters.integer("timeout_ms", default: 60_000),
            isTCPFlag: try parameters.integer("is_tcp_flag", default: 0),
            ssrc: try parameters.ssrc(),
            debugDumpPacket: try parameters.string("debug_dump_packet") ?? ""
        )
        guard (0...65_535).contains(request.port) else {
            throw ControlError.rtpPubFailed("address \(request.port): invalid port")
        }
        return request
    }

    private static func target(_ parameters: APIParameters) throws -> RTPPubTarget {
        if let session = try parameters.string("session_id"), !session.isEmpty { return .session(session) }
        return .stream(try parameters.requiredString("stream_name"))
    }

    /// Nil where it was not given.
    private static func streamNumber(_ parameters: APIParameters) throws -> Int? {
        let number = try parameters.integer("stream_number", default: -1)
        guard (-1...9).contains(number) else {
            throw ControlError.paramMissing(
                "stream_number is \(number), expected 0 (the main stream) or 1 to 9 (a sub stream)"
            )
        }
        return number < 0 ? nil : number
    }

    private static func inviteRequest(_ parameters: APIParameters) throws -> GB28181InviteRequest {
        // -1 stands for a flag that was not given.
        let flag = try parameters.integer("is_tcp_flag", default: -1)
        let transport = GB28181InviteRequest.MediaTransport(rawValue: flag)
        if transport == nil, flag != -1 {
            throw ControlError.paramMissing(
                "is_tcp_flag is \(flag), expected 0 (UDP), 1 (TCP, the camera connects) or 2 (TCP, we connect)"
            )
        }
        let port = try parameters.integer("port", default: 0)
        guard (0...65_535).contains(port) else {
            throw ControlError.paramMissing("port is \(port), expected 0 (automatic) to 65535")
        }
        let idle = try parameters.milliseconds("auto_bye_after_no_out_ms", default: -1)
        // Nobody watches before the camera has answered.
        guard idle == -1 || idle >= 1000 else {
            throw ControlError.paramMissing("auto_bye_after_no_out_ms is \(idle), expected -1 (never) or 1000 and more")
        }
        return GB28181InviteRequest(
            deviceID: try parameters.deviceID("device_id"),
            channelID: try parameters.deviceID("channel_id"),
            streamNumber: try streamNumber(parameters) ?? 0,
            streamName: try parameters.streamName() ?? "",
            port: port,
            transport: transport,
            autoByeAfterNoOutMs: idle
        )
    }
}
