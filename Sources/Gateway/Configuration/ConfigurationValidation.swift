internal import Transport

/// Checks values that have the right type but make no sense.
struct ConfigurationValidation {
    private(set) var problems: [ConfigurationProblem] = []

    init(_ configuration: GatewayConfiguration) {
        streaming(configuration)
        relays(configuration)
        secrets(configuration.simpleAuth)
        gb28181(configuration.gb28181)
        services(configuration)
    }

    private mutating func streaming(_ all: GatewayConfiguration) {
        listener("rtmp.addr", all.rtmp.addr, on: all.rtmp.enable)
        listener("rtmp.rtmps_addr", all.rtmp.rtmpsAddr, on: all.rtmp.rtmpsEnable)
        for service in HTTPService.all(all) {
            listener(service.addressKey, service.address, on: service.isOn)
            listener(service.secureAddressKey, service.secureAddress, on: service.isSecureOn)
        }
        let listeners = HTTPService.listeners(all) + HTTPService.secureListeners(all)
        let isAmbiguous = listeners.contains { listener in
            listener.services.contains { $0.form == .hls }
                && listener.services.contains { $0.form != .hls && $0.pattern == all.hls.urlPattern }
        }
        // As lal: it could not be told apart what is asked for.
        let own = "a prefix of its own, as another form of streams on its port has this one"
        require(!isAmbiguous, "hls.url_pattern", "\"\(all.hls.urlPattern)\"", own)
        let folders = [all.hls.outPath, all.record.hlsOutPath].map { $0.hasSuffix("/") ? String($0.dropLast()) : $0 }
        require(
            folders[0] != folders[1],
            "record.hls_out_path",
            "\"\(all.record.hlsOutPath)\"",
            "another folder than hls.out_path, whose clean-up would delete recordings"
        )
        range("rtmp.gop_num", all.rtmp.gopNum, -1...100)
        range("rtmp.single_gop_max_frame_num", all.rtmp.singleGopMaxFrameNum, 0...1_000_000)
        range("rtmp.merge_write_size", all.rtmp.mergeWriteSize, 0...(16 << 20))
        range("httpflv.gop_num", all.httpflv.gopNum, -1...100)
        range("httpflv.single_gop_max_frame_num", all.httpflv.singleGopMaxFrameNum, 0...1_000_000)
        range("httpts.gop_num", all.httpts.gopNum, -1...100)
        range("httpts.single_gop_max_frame_num", all.httpts.singleGopMaxFrameNum, 0...1_000_000)
        range("in_session.add_dummy_audio_wait_audio_ms", all.inSession.addDummyAudioWaitAudioMs, 0...60_000)
        range("hls.fragment_duration_ms", all.hls.fragmentDurationMs, 0...60_000)
        range("hls.fragment_num", all.hls.fragmentNum, 0...10_000)
        range("hls.delete_threshold", all.hls.deleteThreshold, 0...10_000)
        range("hls.cleanup_mode", all.hls.cleanupMode, 0...2)
        range("hls.sub_session_timeout_ms", all.hls.subSessionTimeoutMs, 0...86_400_000)
        range("hls.idle_stop_ms", all.hls.idleStopMs, 5_000...86_400_000)
        range("hls.part_duration_ms", all.hls.partDurationMs, 50...2_000)
        range("hls.memory_max_mb", all.hls.memoryMaxMb, 4...65_536)
        range("hls.memory_total_max_mb", all.hls.memoryTotalMaxMb, 0...16_777_216)
        range("record.segment_duration_sec", all.record.segmentDurationSec, 0...604_800)
        range("record.segment_size_mb", all.record.segmentSizeMb, 0...1_048_576)
        range("record.retention_days", all.record.retentionDays, 0...36_500)
        range("record.max_total_mb", all.record.maxTotalMb, 0...(1 << 40))
        range("record.min_free_mb", all.record.minFreeMb, 0...(1 << 40))
        range("record.queue_mb", all.record.queueMb, 1...1_024)
        range("record.max_recordings", all.record.maxRecordings, 1...100_000)
        rtsp(all.rtsp)
        range("merge_window_ms", all.mergeWindowMs, 0...1_000)
    }

    private mutating func rtsp(_ rtsp: RTSPSection) {
        listener("rtsp.addr", rtsp.addr, on: rtsp.enable)
        listener("rtsp.rtsps_addr", rtsp.rtspsAddr, on: rtsp.rtspsEnable)
        listener("rtsp.ws_rtsp_addr", rtsp.wsRtspAddr, on: rtsp.wsRtspEnable)
        range("rtsp.auth_method", rtsp.authMethod, 0...2)
        range("rtsp.gop_num", rtsp.gopNum, -1...100)
        range("rtsp.describe_timeout_ms", rtsp.describeTimeoutMs, 0...600_000)
        range("rtsp.session_timeout_ms", rtsp.sessionTimeoutMs, 10_000...86_400_000)
        range("rtsp.publish_timeout_ms", rtsp.publishTimeoutMs, 1_000...86_400_000)
        range("rtsp.multicast_ttl", rtsp.multicastTtl, 0...255)
        range("rtsp.multicast_port", rtsp.multicastPort, 1...65_534)
        if rtsp.multicastEnable {
            let isRange = RTSPMulticastOptions(range: rtsp.multicastRange, port: 8002) != nil
            require(isRange, "rtsp.multicast_range", "\"\(rtsp.multicastRange)\"", "IPv4 multicast as 224.1.0.0/16")
            let interface = rtsp.multicastInterface
            let isAddress = interface.isEmpty || IPText.isIPv4(interface)
            require(isAddress, "rtsp.multicast_interface", "\"\(interface)\"", "an IPv4 address, or empty")
        }
        if rtsp.authEnable, rtsp.username.isEmpty || rtsp.password.isEmpty {
            problems.append(.error("rtsp.auth_enable", "true without rtsp.username and rtsp.password; set both"))
        }
    }

    private mutating func relays(_ all: GatewayConfiguration) {
        let relay = all.relay
        range("publish.grace_ms", all.publish.graceMs, 0...86_400_000)
        range("relay.timeout_ms", relay.timeoutMs, 0...3_600_000)
        range("relay.silence_ms", relay.silenceMs, 1_000...3_600_000)
        range("relay.retry_min_ms", relay.retryMinMs, 100...3_600_000)
        range("relay.retry_max_ms", relay.retryMaxMs, relay.retryMinMs...max(relay.retryMinMs, 86_400_000))
        range("relay.retry_reset_ms", relay.retryResetMs, 0...86_400_000)
        range("relay.pull_idle_ms", relay.pullIdleMs, 0...86_400_000)
        for (index, rule) in relay.pulls.enumerated() {
            let path = "relay.pulls[\(index)]"
            rules(path, rule.streamName, rule.url, ["rtmp", "rtmps", "rtsp", "rtsps", "http", "https", "ws", "wss"])
            if !rule.onDemand, !StreamPattern(rule.streamName).isExact {
                require(false, "\(path).stream_name", "\"\(rule.streamName)\"", "a whole name, or on_demand true")
            }
        }
        for (index, rule) in relay.pushes.enumerated() {
            rules("relay.pushes[\(index)]", rule.streamName, rule.url, ["rtmp", "rtmps", "rtsp", "rtsps"])
        }
        var addresses = all.relayPush.addrList.enumerated().map { ("relay_push.addr_list[\($0)]", $1) }
        let origin = all.staticRelayPull
        if !origin.addr.isEmpty { addresses.append(("static_relay_pull.addr", origin.addr)) }
        if origin.enable, origin.addr.isEmpty {
            problems.append(.warning("static_relay_pull.addr", "empty: nothing is pulled; set host:port of the origin"))
        }
        for (path, address) in addresses {
            let isAddress = RelayURL("rtmp://\(address)/live/x")?.app == "live" && !address.contains("@")
            require(isAddress, path, "\"\(URLText.redacted(address))\"", "host:port")
        }
    }

    private mutating func secrets(_ auth: SimpleAuthSection) {
        let isOn =
            auth.pubRtmpEnable || auth.subRtmpEnable || auth.subHttpflvEnable || auth.pubRtspEnable
            || auth.subRtspEnable || auth.subHttptsEnable || auth.hlsM3u8Enable
        if isOn, auth.key.isEmpty {
            problems.append(.warning("simple_auth.key", "empty: the md5 of a stream's name alone opens it; set a key"))
        }
    }

    private mutating func rules(_ path: String, _ stream: String, _ url: RelayTemplate, _ schemes: [String]) {
        require(!stream.isEmpty, "\(path).stream_name", "\"\"", "a stream's name, a beginning with *, or *")
        let example = url.url(app: "live", stream: "x")
        let isServed = example.map { schemes.contains($0.scheme) } ?? false
        let forms = "\(schemes.map { "\($0)://" }.joined(separator: ", ")) with host, application and stream"
        require(isServed, "\(path).url", "\"\(url)\"", forms)
    }

    private mutating func gb28181(_ gb: GB28181Section) {
        guard gb.enable else { return }
        let isID = gb.localSipId.utf8.count == 20 && gb.localSipId.utf8.allSatisfy { (0x30...0x39).contains($0) }
        require(isID, "gb28181.local_sip_id", "\"\(gb.localSipId)\"", "20 digits")
        range("gb28181.local_sip_port", gb.localSipPort, 0...65_535)
        address("gb28181.local_sip_ip", gb.localSipIp)
        address("gb28181.media_ip", gb.mediaIp)
        range("gb28181.expires", gb.expires, 60...604_800)
        range("gb28181.catalog_query_interval", gb.catalogQueryInterval, 0...604_800)
        range("gb28181.keepalive_timeout_sec", gb.keepaliveTimeoutSec, 10...86_400)
        range("gb28181.media_timeout_ms", gb.mediaTimeoutMs, 1_000...3_600_000)
        range("gb28181.invite_timeout_ms", gb.inviteTimeoutMs, 1_000...120_000)
        range("gb28181.sip_rtp_port_min", gb.sipRtpPortMin, 1_024...65_534)
        range("gb28181.sip_rtp_port_max", gb.sipRtpPortMax, 1_025...65_535)
        range("gb28181.rtp_single_port", gb.rtpSinglePort, 0...65_535)
        require(
            gb.sipRtpPortMin < gb.sipRtpPortMax,
            "gb28181.sip_rtp_port_max",
            "\(gb.sipRtpPortMax)",
            "more than gb28181.sip_rtp_port_min, which is \(gb.sipRtpPortMin)"
        )
        if gb.password.isEmpty {
            problems.append(.notice("gb28181.password", "empty: every camera may register"))
        }
    }

    private mutating func services(_ all: GatewayConfiguration) {
        listener("http_api.addr", all.httpApi.addr, on: all.httpApi.enable)
        if all.httpApi.enable {
            do {
                let permitted = try all.httpApi.permittedAddress()
                if permitted != all.httpApi.addr {
                    problems.append(
                        .notice("http_api.addr", "listens on \(permitted) because http_api.token is empty")
                    )
                }
            } catch let error as ConfigurationError {
                problems += error.problems
            } catch {
                problems.append(.error("http_api.addr", "\(error)"))
            }
        }
        range("http_notify.update_interval_sec", all.httpNotify.updateIntervalSec, 0...86_400)
        range("log.level", all.log.level, 0...7)
        range("log.max_rotate_days", all.log.maxRotateDays, 0...36_500)
        range("log.assert_behavior", all.log.assertBehavior, 1...3)
        range("debug.log_group_interval_sec", all.debug.logGroupIntervalSec, 0...86_400)
        range("limits.max_devices", all.limits.maxDevices, 1...1_000_000)
        range("limits.max_channels", all.limits.maxChannels, 1...10_000_000)
        range("limits.max_streams", all.limits.maxStreams, 1...1_000_000)
        range("limits.max_viewers", all.limits.maxViewers, 1...10_000_000)
        range("limits.max_connections_per_ip", all.limits.maxConnectionsPerIp, 0...10_000_000)
        range("limits.gop_cache_max_kb", all.limits.gopCacheMaxKb, 1...1_048_576)
        range("limits.idle_gop_cache_kb", all.limits.idleGopCacheKb, 0...1_048_576)
        if all.store.enable {
            require(!all.store.path.isEmpty, "store.path", "\"\"", "a file name, or store.enable false")
        }
    }

    private mutating func require(_ holds: Bool, _ path: String, _ value: String, _ allowed: String) {
        if !holds { problems.append(.error(path, "\(value) is not allowed; allowed: \(allowed)")) }
    }

    private mutating func range(_ path: String, _ value: Int, _ allowed: ClosedRange<Int>) {
        require(allowed.contains(value), path, "\(value)", "\(allowed.lowerBound) to \(allowed.upperBound)")
    }

    private mutating func listener(_ path: String, _ address: ListenAddress, on: Bool) {
        if on { require(!address.isEmpty, path, "\"\"", ListenAddress.allowed) }
    }

    private mutating func address(_ path: String, _ text: String) {
        let isAddress = text.isEmpty || IPText.isIPv4(text) || IPText.isIPv6(text)
        require(isAddress, path, "\"\(text)\"", "an IP address, or empty")
    }
}
