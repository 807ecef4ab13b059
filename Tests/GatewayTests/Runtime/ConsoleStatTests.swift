import Logging
import Testing

@testable import Gateway

/// What the web console asks of a running gateway besides lal's calls.
@Suite(.serialized, .timeLimit(.minutes(1))) struct ConsoleStatTests {
    @Test func theServerTellsOfItselfAndOfItsPorts() async throws {
        try await SimulatedSite.open { site in
            let started = try await site.gateway.gb28181Invite(site.request())
            let stat = await site.gateway.serverStat()
            #expect(stat.version == Gateway.version)
            #expect(stat.memoryBytes > 1 << 20 && stat.memoryBytes < stat.memoryTotalBytes)
            #expect(stat.cpuCount > 0 && stat.load.count == 3 && stat.cpuPercent >= 0)
            #expect(stat.devices == 1 && stat.devicesOnline == 1 && stat.channels == 1)
            #expect(stat.streams == 1 && stat.publishers == 1 && stat.channelsStreaming == 1, "\(started)")
            #expect(
                stat.limits.first { $0.name == "limits.max_streams" }
                    == LimitStat(
                        name: "limits.max_streams",
                        used: 1,
                        limit: 5000
                    )
            )
            let ports = site.gateway.ports
            let http = "{host}:\(ports.http ?? 0)"
            #expect(
                stat.urls.map { "\($0.protocol) \($0.url)" } == [
                    "RTSP rtsp://{host}:\(ports.rtsp ?? 0)/live/{stream}",
                    "RTMP rtmp://{host}:\(ports.rtmp ?? 0)/live/{stream}",
                    "HTTP-FLV http://\(http)/live/{stream}.flv", "WS-FLV ws://\(http)/live/{stream}.flv",
                    "HTTP-TS http://\(http)/live/{stream}.ts", "WS-TS ws://\(http)/live/{stream}.ts",
                    "HTTP-fMP4 http://\(http)/live/{stream}.mp4", "WS-fMP4 ws://\(http)/live/{stream}.mp4",
                    "HLS http://\(http)/hls/{stream}.m3u8", "LL-HLS http://\(http)/hls/{stream}/index.m3u8",
                ]
            )
            #expect(stat.gb28181.sipPort == ports.sip && stat.gb28181.passwordRequired)
            #expect(!JSONTreeEncoder.tree(stat).text.contains(SimulatedSite.password))
        }
    }

    @Test func aFormOfStreamsWithAListenerOfItsOwnHasItsPort() async throws {
        func configure(_ configuration: inout GatewayConfiguration) {
            // Another text than that of the others, and so another listener.
            configuration.httpts.httpListenAddr = "127.0.0.1:00"
            configuration.httpflv.urlPattern = "/cameras/"
            configuration.rtsp.enable = false
        }
        try await SimulatedSite.open(configure: configure) { site in
            let urls = await site.gateway.serverStat().urls
            let ts = try #require(urls.first { $0.protocol == "HTTP-TS" })
            let port = ts.url.split(separator: ":").last.flatMap { Int($0.prefix { $0.isNumber }) }
            #expect(port != 0 && port != site.gateway.ports.http)
            #expect(urls.contains { $0.protocol == "WS-FLV" && $0.url.hasSuffix("/cameras/{stream}.flv") })
            #expect(!urls.contains { $0.protocol.hasPrefix("RTSP") })
        }
    }

    @Test func theLogLevelIsChangedAndTold() async throws {
        try await SimulatedSite.open { site in
            #expect(await site.gateway.setLogLevel(.warning).logLevel == "warning")
            #expect(await site.gateway.serverStat().logLevel == "warning")
        }
    }

    @Test func aCatalogIsAskedForAgain() async throws {
        try await SimulatedSite.open { site in
            func catalog() async -> GB28181CatalogStat? { await site.gateway.gb28181Devices().first?.catalog }
            try await eventually("the first catalog is complete") { await catalog()?.state == "complete" }
            try await site.gateway.gb28181Catalog(deviceID: site.cameras[0].id)
            #expect(["querying", "complete"].contains(await catalog()?.state))
            try await eventually("the second catalog is complete") { await catalog()?.state == "complete" }
            let complete = await catalog()
            #expect(complete?.received == 1 && complete?.total == 1 && complete?.error == "")
            #expect(complete?.time.isEmpty == false)
            let channel = try #require(await site.gateway.gb28181Devices().first?.channels.first)
            #expect(channel.ptzType == 3 && channel.address == "演示" && !channel.parental)
            await #expect(throws: ControlError.deviceNotFound("34020000001320000099")) {
                try await site.gateway.gb28181Catalog(deviceID: "34020000001320000099")
            }
        }
    }

    @Test func aChannelKeepsWhyItsInvitationFailed() async throws {
        try await SimulatedSite.open(hasPictures: false) { site in
            _ = try? await site.gateway.gb28181Invite(site.request())
            let channel = try #require(await site.gateway.gb28181Devices().first?.channels.first)
            #expect(channel.status == "idle")
            #expect(channel.lastError.hasPrefix("480 "), "\(channel.lastError)")
            #expect(channel.lastError.contains("(offered UDP to 127.0.0.1:"), "\(channel.lastError)")
            #expect(!channel.lastErrorTime.isEmpty)
        }
    }

    @Test func aSuccessClearsTheErrorAndAKickIsNone() async throws {
        try await SimulatedSite.open(cameras: 2) { site in
            func fault() async -> String? {
                await site.gateway.gb28181Devices().first { $0.deviceID == site.cameras[1].id }?.channels[0].lastError
            }
            let first = try await site.gateway.gb28181Invite(site.request(0))
            var taken = site.request(1)
            taken.streamName = first.streamName
            _ = try? await site.gateway.gb28181Invite(taken)
            #expect(await fault()?.contains(first.streamName) == true)
            let second = try await site.gateway.gb28181Invite(site.request(1))
            #expect(await fault() == "")
            try await site.gateway.kick(streamName: second.streamName, sessionID: second.sessionID)
            try await eventually("the kicked session is over") {
                await site.gateway.gb28181Devices().allSatisfy {
                    $0.deviceID != site.cameras[1].id || $0.channels[0].status == "idle"
                }
            }
            #expect(await fault() == "")
            _ = try await site.gateway.gb28181Invite(site.request(1))
            _ = try await site.gateway.gb28181Bye(site.bye(1))
            #expect(await fault() == "")
        }
    }

    @Test func mediaThatNeverComesIsAFaultOfItsChannel() async throws {
        func configure(_ configuration: inout GatewayConfiguration) {
            // A camera cannot send there.
            configuration.gb28181.mediaIp = "255.255.255.255"
            configuration.gb28181.mediaTimeoutMs = 200
        }
        try await SimulatedSite.open(configure: configure) { site in
            _ = try await site.gateway.gb28181Invite(site.request())
            try await eventually("the session ends") {
                await site.gateway.gb28181Devices()[0].channels[0].lastError.isEmpty == false
            }
            let channel = await site.gateway.gb28181Devices()[0].channels[0]
            #expect(channel.lastError.contains("255.255.255.255"), "\(channel.lastError)")
            #expect(channel.status == "idle")
        }
    }

    @Test func faultsAreBounded() {
        var faults = ChannelFaults()
        func key(_ number: Int) -> ChannelKey { ChannelKey(deviceID: "d", channelID: "\(number)") }
        for number in 0..<(ChannelFaults.maximum + 10) {
            faults.note(
                String(repeating: "x", count: 2000),
                of: key(number),
                at: WallTime(unixMilliseconds: Int64(number))
            )
        }
        #expect(faults[key(9)] == nil && faults[key(10)] != nil)
        #expect(faults[key(ChannelFaults.maximum + 9)]?.text.count == ChannelFaults.maximumText)
        faults.clear(key(10))
        #expect(faults[key(10)] == nil)
    }
}
