import CameraSimulator
import Foundation
import Gateway
import Logging
import Media
import NIOCore
import NIOPosix
import SIP
import Testing

/// What stays, and what must not, when one of the parties goes away.
@Suite(.timeLimit(.minutes(4)))
struct LifecycleTests {
    private let id = ScriptedCamera.id
    private let channel = ScriptedCamera.channel

    @Test("A camera that falls silent: media_timeout, BYE, the stream ends and its port is free")
    func endsASilentStream() async throws {
        let clip = try Clip.load(path: Project.gateClip)
        try await Site.run {
            $0.gb28181.mediaTimeoutMs = 1000
        } _: { site in
            let camera = try await ScriptedCamera.start(sip: site.sip)
            try await camera.register()
            try await wait(for: "the registration") { try await !site.api.devices().isEmpty }
            for _ in 0..<2 {
                let answer = try await site.api.invite(id, channel, port: 29_876)
                try #require(answer.code == 0, "\(answer.text)")
                try await camera.stream(clip, ssrc: camera.offeredSSRC ?? 0, seconds: 1, to: 29_876)
                let viewer = try await HTTPStream.get("/live/\(id)_\(channel).flv", port: site.http)
                // A viewer may wait for the next publisher.
                try await wait(for: "the end of the input") { try await site.input(of: "\(id)_\(channel)") == nil }
                await viewer.connection.close()
                try await wait(for: "the end of the stream") { try await site.api.streams().isEmpty }
            }
            #expect(site.log.contains("media_timeout: the camera stopped sending to 127.0.0.1:29876"))
            try await wait(for: "two BYEs") { Set(camera.requests(.bye).map(\.headers.callID)).count == 2 }
            await camera.stop()
        }
    }

    @Test("kick_session ends a viewer, and a camera's session with BYE; a viewer that goes away is forgotten")
    func kicks() async throws {
        try await Site.run { site in
            let device = CameraConfiguration.numbered(1, clip: Project.gateClip)
            try await site.withCameras([device]) { cameras in
                let session = try #require(
                    try await site.api.invite(device.id, device.channels[0].id, stream: "s").string("session_id")
                )
                let viewers = [
                    try await HTTPStream.get("/live/s.flv", port: site.http),
                    try await HTTPStream.get("/live/s.flv", port: site.http),
                ]
                let names = try await site.viewers(of: "s")
                try #require(names.count == 2)
                #expect(try await site.api.kick("s", "FLVPUBSUB99999").code == 1003)
                #expect(try await site.api.kick("nobody", names[0]).code == 1001)
                #expect(try await site.api.kick("s", names[0]).code == 0)
                let first = viewers[0].connection
                let second = viewers[1].connection
                _ = try await limited(.seconds(5), "the end of a viewer") {
                    await withTaskGroup { tasks in
                        tasks.addTask { await first.readToEnd() }
                        tasks.addTask { await second.readToEnd() }
                        _ = await tasks.next()
                        await first.close()
                        await second.close()
                    }
                }
                try await wait(for: "no viewer") { try await site.viewers(of: "s").isEmpty }
                #expect(await cameras.report().sessions == 1)

                let last = try await HTTPStream.get("/live/s.flv", port: site.http)
                #expect(try await site.api.kick("s", session).code == 0)
                try await wait(for: "BYE at the camera") { await cameras.report().sessions == 0 }
                // A viewer may wait for the next publisher.
                try await wait(for: "the end of the input") { try await site.input(of: "s") == nil }
                await last.connection.close()
                try await wait(for: "the end of the stream") { try await site.api.streams().isEmpty }
            }
        }
    }

    @Test("A camera that dies with its TCP connection: the session ends with BYE 5 s later and names the reason")
    func endsAfterALostConnection() async throws {
        try await Site.run { site in
            let camera = try await ScriptedCamera.start(sip: site.sip)
            try await camera.register()
            try await wait(for: "the registration") { try await !site.api.devices().isEmpty }
            let port = try #require(try await site.api.invite(id, channel, tcp: 1).integer("port"))
            let media = try await Connection.open(port: port)
            // One packet makes it the media connection: a bare connection may be a port scan.
            try await media.send([0, 16, 0x80, 96, 0, 1, 0, 0, 0, 1, 0, 0, 0, 9, 0, 0, 1, 0xBA])
            try await wait(for: "the packet") { try await site.input(of: "\(id)_\(channel)") != nil }
            await media.close()
            try await wait(for: "the end of the stream") { try await site.api.streams().isEmpty }
            try await wait(for: "BYE") { !camera.requests(.bye).isEmpty }
            #expect(site.log.contains("127.0.0.1:\(port): the camera closed its connection and did not come back"))
            await camera.stop()
        }
    }

    @Test("A port that another program has: the start fails with its name, address and what to do")
    func namesATakenPort() async throws {
        try await Site.run { site in
            let group = MultiThreadedEventLoopGroup.singleton
            for (what, change) in [
                ("rtmp", { $0.rtmp.addr = ListenAddress("127.0.0.1:\(site.rtmp)") ?? .none }),
                ("rtsp", { $0.rtsp.addr = ListenAddress("127.0.0.1:\(site.rtsp)") ?? .none }),
                ("httpflv", { $0.defaultHttp.httpListenAddr = ListenAddress("127.0.0.1:\(site.http)") ?? .none }),
                ("gb28181 sip", { $0.gb28181.localSipPort = site.sip }),
            ] as [(String, (inout GatewayConfiguration) -> Void)] {
                var configuration = Site.configuration()
                change(&configuration)
                let error = await #expect(throws: GatewayStartError.self) {
                    _ = try await Gateway.start(configuration, group: group, logger: Logger(label: "test"))
                }
                let text = error?.description ?? ""
                #expect(text.hasPrefix("\(what): listen on "), "\(text)")
                #expect(!text.contains("descriptor"), "\(text)")
            }
        }
    }

    @Test(
        "R-10: after kill -9 and restart, 100 cameras are playable after a keepalive, without registering again",
        .enabled(if: Product.path != nil, "the gbgate binary is not built")
    )
    func remembersDevices() async throws {
        // A hundred streams in real time.
        try await Turnstile.realTime.pass { try await remembersAHundredDevices() }
    }

    private func remembersAHundredDevices() async throws {
        let folder = try TemporaryFolder()
        let first = try await Product.serve(folder: folder.path, ports: 10_000...10_999)
        let devices = (0..<100).map { CameraConfiguration.numbered($0, clip: Project.gateClip, keepaliveInterval: 2) }
        let cameras = try await CameraSimulation(
            cameras: devices,
            platform: PlatformConfiguration(id: Site.platformID, host: "127.0.0.1", port: first.sip)
        ).start()
        try await wait(for: "100 cameras") { try await first.api.playable() == 100 }
        let store = DeviceStore(path: "\(folder.path)/gbgate.sqlite", logger: Logger(label: "test"))
        try await wait(for: "the store") {
            let state = await store.load()
            return state.devices.count == 100 && state.channels.count == 100
        }
        let registrations = await cameras.report().register.count
        first.program.kill(SIGKILL)
        _ = try await first.program.exit(limit: .seconds(5))

        let second = try await Product.serve(folder: folder.path, sip: first.sip, ports: 10_000...10_999)
        try await wait(for: "100 cameras again") { try await second.api.playable() == 100 }
        #expect(await cameras.report().register.count == registrations)
        // All are invited, a few at a time: how many a debug build carries at once is not asked here.
        for few in stride(from: 0, to: devices.count, by: 10).map({ devices[$0..<min($0 + 10, devices.count)] }) {
            let failures = try await withThrowingTaskGroup(of: String?.self) { tasks in
                for device in few {
                    tasks.addTask {
                        let answer = try await second.api.invite(device.id, device.channels[0].id)
                        return answer.code == 0 ? nil : answer.desp
                    }
                }
                return try await tasks.reduce(into: [String]()) { if let text = $1 { $0.append(text) } }
            }
            #expect(failures == [])
            let names = Set(few.map { "\($0.id)_\($0.channels[0].id)" })
            try await wait(for: "pictures of \(names.sorted())", limit: .seconds(30)) {
                let groups = try await second.api.get("/api/stat/all_group").data["groups"] as? [[String: Any]] ?? []
                let shown = groups.filter { $0["video_codec"] as? String == "H264" }.compactMap {
                    $0["stream_name"] as? String
                }
                return names.isSubset(of: shown)
            }
            if few.startIndex == 90 { break }
            for device in few { #expect(try await second.api.bye(device.id, device.channels[0].id).code == 0) }
        }
        second.program.kill(SIGTERM)
        #expect(try await second.program.exit(limit: .seconds(10)) == 0)
        try await wait(for: "the last BYEs") { await cameras.report().sessions == 0 }
        await cameras.stop()
    }

    @Test(
        "R-32: sessions that kill -9 left open get their BYE from the restarted gateway",
        .enabled(if: Product.path != nil, "the gbgate binary is not built")
    )
    func hangsUpAfterRestart() async throws {
        let folder = try TemporaryFolder()
        let first = try await Product.serve(folder: folder.path)
        let camera = try await ScriptedCamera.start(sip: first.sip)
        try await camera.register()
        try await wait(for: "the registration") { try await !first.api.devices().isEmpty }
        #expect(try await first.api.invite(id, channel).code == 0)
        let store = DeviceStore(path: "\(folder.path)/gbgate.sqlite", logger: Logger(label: "test"))
        try await wait(for: "the store") {
            let state = await store.load()
            return state.devices.count == 1 && state.dialogs.count == 1
        }
        first.program.kill(SIGKILL)
        _ = try await first.program.exit(limit: .seconds(5))
        #expect(camera.requests(.bye).isEmpty)

        let second = try await Product.serve(folder: folder.path, sip: first.sip)
        try await wait(for: "BYE") { !camera.requests(.bye).isEmpty }
        let bye = try #require(camera.requests(.bye).first)
        let invite = try #require(camera.requests(.invite).first)
        #expect(bye.headers.callID == invite.headers.callID)
        #expect(bye.headers.from?.tag == invite.headers.from?.tag)
        #expect((bye.headers.cseq?.number ?? 0) > (invite.headers.cseq?.number ?? 0))
        try await wait(for: "the store to forget it") { await store.load().dialogs.isEmpty }
        second.program.kill(SIGTERM)
        #expect(try await second.program.exit(limit: .seconds(10)) == 0)
        await camera.stop()
    }

    @Test(
        "SIGTERM: BYE to every camera, and the process ends with 0 within 5 s",
        .enabled(if: Product.path != nil, "the gbgate binary is not built")
    )
    func saysByeAtTheEnd() async throws {
        let folder = try TemporaryFolder()
        let product = try await Product.serve(folder: folder.path)
        let devices = (0..<5).map { CameraConfiguration.numbered($0, clip: Project.gateClip) }
        let cameras = try await CameraSimulation(
            cameras: devices,
            platform: PlatformConfiguration(id: Site.platformID, host: "127.0.0.1", port: product.sip)
        ).start()
        try await wait(for: "the cameras") { try await product.api.playable() == 5 }
        for (index, device) in devices.enumerated() {
            #expect(
                try await product.api.invite(device.id, device.channels[0].id, stream: "s\(index)", tcp: index % 3).code
                    == 0
            )
        }
        let viewer = try await HTTPStream.get("/live/s0.flv", port: product.http)
        #expect(await cameras.report().sessions == 5)
        let asked = ContinuousClock.now
        product.program.kill(SIGTERM)
        #expect(try await product.program.exit(limit: .seconds(10)) == 0, "\(product.log)")
        #expect(ContinuousClock.now - asked < .seconds(5))
        try await wait(for: "the BYEs") { await cameras.report().sessions == 0 }
        _ = await viewer.connection.readToEnd()
        await cameras.stop()
    }

    @Test(
        "1,000 rounds of invite and bye leave no descriptor, port or stream behind",
        .enabled(if: Product.path != nil, "the gbgate binary is not built")
    )
    func leaksNothing() async throws {
        let folder = try TemporaryFolder()
        let product = try await Product.serve(folder: folder.path, ports: 11_000...15_999)
        let devices = (0..<10).map { CameraConfiguration.numbered($0, clip: Project.gateClip) }
        let cameras = try await CameraSimulation(
            cameras: devices,
            platform: PlatformConfiguration(id: Site.platformID, host: "127.0.0.1", port: product.sip)
        ).start()
        try await wait(for: "the cameras") { try await product.api.playable() == 10 }

        func rounds(_ count: Int) async throws -> [Int] {
            try await withThrowingTaskGroup(of: [Int].self) { tasks in
                for (index, device) in devices.enumerated() {
                    tasks.addTask {
                        var ports: [Int] = []
                        for round in 0..<count {
                            let channel = device.channels[0].id
                            let answer = try await product.api.invite(device.id, channel, tcp: (round + index) % 3)
                            guard let port = answer.integer("port"), answer.code == 0 else {
                                throw NeverHappened(what: "round \(round): \(answer.text)")
                            }
                            ports.append(port)
                            let bye = try await product.api.bye(device.id, channel)
                            guard bye.code == 0 else { throw NeverHappened(what: "bye \(round): \(bye.text)") }
                        }
                        return ports
                    }
                }
                return try await tasks.reduce(into: [Int]()) { $0 += $1 }
            }
        }

        func settled() async throws {
            try await wait(for: "the end of all sessions") { await cameras.report().sessions == 0 }
            try await wait(for: "the end of all streams") { try await product.api.streams().isEmpty }
        }

        _ = try await rounds(2)
        try await settled()
        let before = product.descriptors
        let ports = try await rounds(100)
        #expect(ports.count == 1000)
        #expect(Set(ports).count > 900, "a port rests after its session")
        try await settled()
        try await wait(for: "\(before) descriptors, there were \(product.descriptors)", limit: .seconds(30)) {
            product.descriptors <= before
        }
        // A port that is asked for by number may rest, but not be in use.
        let device = devices[0]
        for port in ports.shuffled().prefix(20) {
            let answer = try await product.api.invite(device.id, device.channels[0].id, port: port)
            #expect(answer.integer("port") == port, "\(answer.text)")
            _ = try await product.api.bye(device.id, device.channels[0].id)
        }
        try await settled()
        #expect(await cameras.report().invites == 1040)
        product.program.kill(SIGTERM)
        #expect(try await product.program.exit(limit: .seconds(10)) == 0)
        await cameras.stop()
    }
}
