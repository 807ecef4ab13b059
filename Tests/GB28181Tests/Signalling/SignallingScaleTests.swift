import NIOCore
import SIP
import Testing

@testable import GB28181

@Suite("Signalling: many devices and bad networks")
struct SignallingScaleTests {
    @Test(
        "over a network that loses a fifth of the datagrams a camera registers, is listed, plays and stops",
        arguments: 1...20
    )
    func survivesLoss(_ seed: UInt64) {
        var world = World([CameraModel(seed: seed)])
        world.random = SignallingRandom(state: seed)
        world.loss = 0.2
        world.delay = 5...200
        world.cameras[0].channels = (1...5).map { "3402000000131000000\($0)" }
        var attempts = 0
        while !world.cameras[0].isRegistered, attempts < 5 {
            attempts += 1
            world.camera { $0.register(now: $1) }
            world.run(35_000)
        }
        #expect(world.core.device(cameraID)?.isOnline == true)
        world.camera { $0.keepalive(now: $1) }
        world.run(70_000)
        world.camera { $0.keepalive(now: $1) }
        world.run(60_000)
        #expect(world.core.device(cameraID)?.channels.count == 5)
        guard case .started(let id) = world.invite() else {
            Issue.record("not invited")
            return
        }
        world.run(30_000)
        #expect(world.core.session(id)?.isStreaming == true)
        world.camera { $0.keepalive(now: $1) }
        world.apply(world.core.release(id, now: world.now))
        world.run(120_000)
        #expect(world.cameras[0].streaming.isEmpty)
        #expect(world.core.openFarewells == 0)
    }

    /// Messages of a fleet, made as text so that the core's share of the time is most of it.
    private struct Fleet {
        var count: Int

        func id(_ number: Int) -> String {
            let digits = String(number)
            return "3402000000132" + String(repeating: "0", count: 7 - digits.count) + digits
        }

        func flow(_ number: Int) -> SIPFlow {
            GB28181Tests.flow(1024 + number % 60_000, host: "10.0.\(number / 250).\(number % 250)")
        }

        private func head(_ method: String, _ number: Int, _ round: Int) -> String {
            "\(method) sip:\(platformID)@3402000000 SIP/2.0\r\nVia: SIP/2.0/UDP 192.168.1.64:5060;rport;branch=z9hG4bK\(number)x\(round)\r\n"
                + "From: <sip:\(id(number))@3402000000>;tag=\(round)\r\nTo: <sip:\(platformID)@3402000000>\r\n"
                + "Call-ID: \(number)-\(round)\r\nCSeq: 20 \(method)\r\nMax-Forwards: 70\r\nUser-Agent: IP Camera\r\n"
        }

        func register(_ number: Int, _ round: Int) -> [UInt8] {
            Array(
                (head("REGISTER", number, round)
                    + "Contact: <sip:\(id(number))@192.168.1.64:5060>\r\nExpires: 3600\r\nContent-Length: 0\r\n\r\n")
                    .utf8
            )
        }

        func keepalive(_ number: Int, _ round: Int) -> [UInt8] {
            let body =
                "<?xml version=\"1.0\"?>\r\n<Notify>\r\n<CmdType>Keepalive</CmdType>\r\n<SN>\(round)</SN>\r\n<DeviceID>\(id(number))</DeviceID>\r\n"
                + "<Status>OK</Status>\r\n</Notify>\r\n"
            return Array(
                (head("MESSAGE", number, round)
                    + "Content-Type: Application/MANSCDP+xml\r\nContent-Length: \(body.utf8.count)\r\n\r\n" + body).utf8
            )
        }
    }

    @Test(
        "R-6 R-48 10,000 devices register and keep alive; those that fall silent are offline within 3 intervals and 5 s, the others never"
    )
    func carriesTenThousand() throws {
        let fleet = Fleet(count: 10_000)
        var configuration = SignallingConfiguration(platformID: platformID, domain: "3402000000")
        configuration.catalogQueryInterval = .seconds(0)
        var core = SignallingCore(
            configuration: configuration,
            random: SignallingRandom(state: 1),
            clock: WallClock(unixMilliseconds: 0, at: start)
        )
        var online = 0
        var wentOffline: [(id: String, at: NIODeadline)] = []
        var answered = 0
        func note(_ actions: [SignallingAction], _ now: NIODeadline) {
            for action in actions {
                switch action {
                case .send(let bytes, _): if bytes.starts(with: "SIP/2.0 200".utf8) { answered += 1 }
                case .deviceOnline: online += 1
                case .deviceOffline(let id, .silent): wentOffline.append((id, now))
                default: break
                }
            }
        }
        var time = start
        func pass(to end: NIODeadline) {
            while let deadline = core.deadline, deadline <= end { note(core.advance(to: deadline), deadline) }
        }
        func say(_ bytes: [UInt8], _ number: Int) throws {
            pass(to: time)
            note(core.receive(try SIPMessage.parse(bytes), from: fleet.flow(number), now: time), time)
        }
        // All come back within a minute after a power failure.
        for number in 0..<fleet.count {
            try say(fleet.register(number, 0), number)
            time = time + .milliseconds(6)
        }
        #expect(online == fleet.count && core.onlineDeviceCount == fleet.count)
        var lastWord: [String: NIODeadline] = [:]
        let started = ContinuousClock.now
        for round in 1...8 {
            for number in 0..<fleet.count {
                // Every tenth device falls silent after the third round.
                if round <= 3 || number % 10 != 0 {
                    try say(fleet.keepalive(number, round), number)
                    lastWord[fleet.id(number)] = time
                }
                time = time + .milliseconds(6)
            }
        }
        let spent = ContinuousClock.now - started
        print("keepalives: \(spent / 75_000) each, with parsing and this test's own work")
        #expect(answered == fleet.count + fleet.count * 3 + fleet.count * 9 / 10 * 5)
        #expect(wentOffline.count == fleet.count / 10)
        for (id, at) in wentOffline {
            let silence = at - (lastWord[id] ?? start)
            #expect(silence >= .seconds(180) && silence <= .seconds(185))
        }
        #expect(core.onlineDeviceCount == fleet.count * 9 / 10)
        #expect(core.transactions.serverCount <= 32_768)
        pass(to: time + .hours(1))
        #expect(core.onlineDeviceCount == 0)
        #expect(core.transactions.serverCount == 0 && core.transactions.clientCount == 0)
        #expect(core.roles.isEmpty && core.assemblies.isEmpty)
    }
}
