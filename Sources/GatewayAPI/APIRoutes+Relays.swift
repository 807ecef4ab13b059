internal import Gateway

extension APIRoute {
    /// Relays, and who may not connect.
    static let relays: [String: APIRoute] = [
        "/api/stat/relays": APIRoute(emptyData: JSONTreeEncoder.tree(RelayStats(relays: []))) { _, control in
            JSONTreeEncoder.tree(RelayStats(relays: await control.relays()))
        },
        "/api/ctrl/start_relay_pull": APIRoute(emptyData: emptyPull) { request, control in
            JSONTreeEncoder.tree(try await control.startRelayPull(try pullRequest(APIParameters(body: request))))
        },
        "/api/ctrl/stop_relay_pull": APIRoute(
            emptyData: JSONTreeEncoder.tree(RelayPullStopped(sessionID: ""))
        ) { request, control in
            let name = try APIParameters(query: request).requiredString("stream_name")
            return JSONTreeEncoder.tree(try await control.stopRelayPull(streamName: name))
        },
        "/api/ctrl/start_relay": APIRoute(emptyData: emptyTask) { request, control in
            JSONTreeEncoder.tree(try await control.startRelay(try relayRequest(APIParameters(body: request))))
        },
        "/api/ctrl/stop_relay": APIRoute(emptyData: emptyTask) { request, control in
            let name = try APIParameters(query: request).requiredString("stream_name")
            return JSONTreeEncoder.tree(try await control.stopRelay(streamName: name))
        },
        "/api/ctrl/start_relay_from_stream": APIRoute(
            emptyData: JSONTreeEncoder.tree(RelayPushStarted(streamName: "", pushSessionID: ""))
        ) { request, control in
            let parameters = try APIParameters(body: request)
            let push = StartRelayFromStreamRequest(
                streamName: try parameters.requiredStreamName(),
                pushURL: try parameters.requiredString("push_url"),
                timeoutMs: try parameters.milliseconds("timeout_ms", default: 10_000),
                retryNum: try parameters.integer("retry_num", default: 0),
                rtspMode: try rtspMode(parameters)
            )
            return JSONTreeEncoder.tree(try await control.startRelayFromStream(push))
        },
        "/api/ctrl/add_ip_blacklist": APIRoute(emptyData: nil) { request, control in
            let parameters = try APIParameters(body: request)
            try await control.addIPBlacklist(
                IPBlacklistRequest(
                    ip: try parameters.requiredString("ip"),
                    durationSec: try parameters.requiredInteger("duration_sec")
                )
            )
            return nil
        },
    ]

    private static let emptyPull = JSONTreeEncoder.tree(RelayPullStarted(streamName: "", sessionID: ""))
    private static let emptyTask = JSONTreeEncoder.tree(
        RelayTask(streamName: "", pullSessionID: "", pushSessionID: "")
    )

    private static func pullRequest(_ parameters: APIParameters) throws -> StartRelayPullRequest {
        // Its type is looked at, it changes nothing here.
        _ = try parameters.string("debug_dump_packet")
        return StartRelayPullRequest(
            url: try parameters.requiredString("url"),
            streamName: try parameters.streamName() ?? "",
            pullTimeoutMs: try parameters.milliseconds("pull_timeout_ms", default: 10_000),
            pullRetryNum: try parameters.integer("pull_retry_num", default: 0),
            autoStopPullAfterNoOutMs: try parameters.milliseconds("auto_stop_pull_after_no_out_ms", default: -1),
            rtspMode: try rtspMode(parameters)
        )
    }

    private static func rtspMode(_ parameters: APIParameters) throws -> Int {
        let mode = try parameters.integer("rtsp_mode", default: 0)
        guard (0...1).contains(mode) else { throw ControlError(.paramMissing, "rtsp_mode must be 0 (TCP) or 1 (UDP)") }
        return mode
    }

    private static func relayRequest(_ parameters: APIParameters) throws -> StartRelayRequest {
        _ = try parameters.integer("auto_stop_pull_after_no_out_ms", default: 0)
        guard (1...8).contains(try parameters.integer("scale", default: 1)) else {
            throw ControlError(.paramMissing, "scale must be in [1,8]")
        }
        return StartRelayRequest(
            pullURL: try parameters.requiredString("pull_url"),
            pushURL: try parameters.requiredString("push_url"),
            streamName: try parameters.streamName() ?? "",
            timeoutMs: try parameters.milliseconds("timeout_ms", default: 10_000),
            retryNum: try parameters.integer("retry_num", default: 0),
            rtspMode: try rtspMode(parameters)
        )
    }
}
