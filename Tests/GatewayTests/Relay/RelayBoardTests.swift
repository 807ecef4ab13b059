import Hub
import NIOCore
import Synchronization
import Testing

@testable import Gateway

/// A board with rules, and streams that come and go.
struct BoardFixture {
    var board: RelayBoard
    var now = NIODeadline.uptimeNanoseconds(1_000_000_000_000)
    var streams: [String: RelayedStream] = [:]

    init(_ configure: (inout GatewayConfiguration) -> Void = { _ in }) {
        var configuration = GatewayConfiguration()
        configure(&configuration)
        var settings = RelaySettings(configuration.relay)
        let counter = Counter()
        settings.makeSessionID = { "\($0.rawValue)\(counter.next())" }
        settings.ownHosts = ["127.0.0.1", "localhost"]
        settings.ownPorts = [1935]
        board = RelayBoard(rules: RelayRules(configuration), settings: settings)
    }

    private final class Counter: Sendable {
        private let value = Atomic<Int>(0)
        func next() -> Int { value.add(1, ordering: .relaxed).newValue }
    }

    static func session(
        _ id: String,
        _ kind: SessionKind = .rtmp,
        _ role: SessionInfo.Role = .publisher,
        query: String = ""
    ) -> SessionInfo {
        SessionInfo(id: id, kind: kind, role: role, startTime: 0, query: query)
    }

    mutating func set(_ name: String, publisher: SessionInfo? = nil, viewers: Int = 0) -> [RelayBoard.Action] {
        let stream = RelayedStream(app: "live", publisher: publisher, viewers: viewers)
        streams[name] = stream
        return board.changed(name, stream, now: now)
    }

    mutating func end(_ id: RelayBoard.ID, _ fault: String? = nil) -> [RelayBoard.Action] {
        board.connectionEnded(id, fault, chance: 0.5, now: now)
    }

    var states: [String] {
        board.all.map { "\($0.order.direction.rawValue) \($0.order.url.text) \($0.machine.state.rawValue)" }
    }
}

@Suite struct RelayBoardTests {
    @Test func aViewerBringsAnOnDemandPullAndTheLastOneEndsIt() {
        var site = BoardFixture { $0.staticRelayPull = .init(enable: true, addr: "192.0.2.1:1936") }
        #expect(site.set("door", viewers: 1) == [.connect(1)])
        #expect(site.states == ["pull rtmp://192.0.2.1:1936/live/door connecting"])
        #expect(site.board[1]?.order.sessionID == "RTMPPULL1")
        site.board.started(1, remoteAddress: "192.0.2.1:1936", now: site.now)
        // It publishes the stream itself: that is nobody else.
        #expect(site.set("door", publisher: BoardFixture.session("RTMPPULL1", .rtmpPull, .pull), viewers: 2) == [])
        #expect(site.set("door", publisher: BoardFixture.session("RTMPPULL1", .rtmpPull, .pull)) == [])
        site.now = site.now + .seconds(5)
        #expect(site.board.deadline == site.now)
        #expect(site.board.advance(to: site.now) == [.disconnect(1)])
        #expect(site.end(1) == [.ended(1, nil)])
        #expect(site.states == [] && site.board.deadline == nil)
        #expect(site.set("door") == [])
        #expect(site.set("door", viewers: 1) == [.connect(2)])
    }

    @Test func aPushByRuleDoesNotKeepThePullOnDemandThatItLivesBy() {
        var push = RelayPushRule()
        push.streamName = "*"
        push.url = RelayTemplate("rtmp://192.0.2.2/live/{stream}")
        var site = BoardFixture {
            $0.staticRelayPull = .init(enable: true, addr: "192.0.2.1:1936")
            $0.relay.pushes = [push]
        }
        #expect(site.set("door", viewers: 1) == [.connect(1)])
        site.board.started(1, remoteAddress: "192.0.2.1:1936", now: site.now)
        let pull = BoardFixture.session("RTMPPULL1", .rtmpPull, .pull)
        #expect(site.set("door", publisher: pull, viewers: 1) == [.connect(2)])
        site.board.started(2, remoteAddress: "192.0.2.2:1935", now: site.now)
        // The push is a viewer of the Hub; the player leaves.
        #expect(site.set("door", publisher: pull, viewers: 2) == [])
        #expect(site.set("door", publisher: pull, viewers: 1) == [])
        site.now = site.now + .seconds(5)
        #expect(site.board.advance(to: site.now) == [.disconnect(1)])
        #expect(site.board[2]?.machine.state == .running)
    }

    @Test(arguments: ["a%2fb", "a#b", "a?b", "a&b", "a@b"])
    func viewersNamesDoNotChangeTheURLOfTheOtherServer(name: String) {
        var site = BoardFixture { $0.staticRelayPull = .init(enable: true, addr: "192.0.2.1:1936") }
        #expect(site.set(name, viewers: 1) == [])
    }

    @Test func onDemandPullsOfARuleNameTheirStreams() {
        var rule = RelayPullRule()
        rule.streamName = "cam*"
        rule.url = RelayTemplate("https://h/{app}/{stream}.flv?k=1")
        var site = BoardFixture { $0.relay.pulls = [rule] }
        #expect(site.set("door", viewers: 1) == [])
        #expect(site.set("cam7", viewers: 1) == [.connect(1)])
        #expect(site.board[1]?.order.url.text == "https://h/live/cam7.flv?k=1")
        #expect(site.board[1]?.order.kind == .flvPull)
    }

    @Test func aPullThatAnOperatorEndsStaysAwayUntilAllViewersHaveLeft() {
        var site = BoardFixture { $0.staticRelayPull = .init(enable: true, addr: "192.0.2.1:1936") }
        _ = site.set("door", viewers: 1)
        #expect(site.board.stop(1, now: site.now) == [.disconnect(1)])
        #expect(site.end(1) == [.ended(1, nil)])
        #expect(site.set("door", viewers: 2) == [])
        #expect(site.set("door") == [])
        #expect(site.set("door", viewers: 1) == [.connect(2)])
    }

    @Test func aPublisherThatComesMakesThePullWait() {
        var site = BoardFixture { $0.staticRelayPull = .init(enable: true, addr: "192.0.2.1:1936") }
        _ = site.set("door", viewers: 1)
        #expect(site.set("door", publisher: BoardFixture.session("RTMPPUBSUB9"), viewers: 1) == [.disconnect(1)])
        #expect(site.end(1) == [])
        #expect(site.states == ["pull rtmp://192.0.2.1:1936/live/door waiting"])
        #expect(site.set("door", viewers: 1) == [.connect(1)])
    }

    @Test func everyRTMPPublisherIsPushedWithItsQuery() {
        var site = BoardFixture {
            $0.relayPush = .init(enable: true, addrList: ["192.0.2.1:1935", "192.0.2.2:1935"])
        }
        let publisher = BoardFixture.session("RTMPPUBSUB1", query: "a=1")
        #expect(site.set("door", publisher: publisher) == [.connect(1), .connect(2)])
        #expect(
            site.states == [
                "push rtmp://192.0.2.1:1935/live/door?a=1 connecting",
                "push rtmp://192.0.2.2:1935/live/door?a=1 connecting",
            ]
        )
        #expect(site.set("cam", publisher: BoardFixture.session("PSPUB1", .ps)) == [])
        #expect(site.set("far", publisher: BoardFixture.session("RTMPPULL1", .rtmpPull, .pull)) == [])
        site.board.started(1, remoteAddress: "", now: site.now)
        #expect(site.set("door") == [.disconnect(1), .disconnect(2)])
        #expect(site.end(1) + site.end(2, "lost") == [.ended(1, nil), .ended(2, nil)])
        #expect(site.states == [])
    }

    @Test func aPublisherWithAnotherQueryIsPushedAnew() {
        var site = BoardFixture { $0.relayPush = .init(enable: true, addrList: ["192.0.2.1:1935"]) }
        _ = site.set("door", publisher: BoardFixture.session("RTMPPUBSUB1", query: "a=1"))
        #expect(site.set("door", publisher: BoardFixture.session("RTMPPUBSUB2", query: "a=1")) == [])
        #expect(site.set("door", publisher: BoardFixture.session("RTMPPUBSUB3", query: "a=2")) == [.disconnect(1)])
        #expect(site.end(1) == [.ended(1, nil), .connect(2)])
        #expect(site.board[2]?.order.url.text == "rtmp://192.0.2.1:1935/live/door?a=2")
    }

    @Test func aPushThatFailsIsTriedAgainAndOneThatIsKickedIsNot() {
        var site = BoardFixture { $0.relayPush = .init(enable: true, addrList: ["192.0.2.1:1935"]) }
        let publisher = BoardFixture.session("RTMPPUBSUB1")
        _ = site.set("door", publisher: publisher)
        #expect(site.end(1, "refused") == [])
        site.now = site.now + .seconds(1)
        #expect(site.board.advance(to: site.now) == [.connect(1)])
        #expect(site.board.stop(1, "kicked", now: site.now) == [.disconnect(1)])
        #expect(site.end(1) == [.ended(1, "kicked")])
        #expect(site.set("door", publisher: publisher, viewers: 1) == [])
        _ = site.set("door")
        #expect(site.set("door", publisher: publisher) == [.connect(2)])
    }

    @Test func pushesOfARuleTakeCamerasToo() {
        var rule = RelayPushRule()
        rule.streamName = "3402*"
        rule.url = RelayTemplate("rtmps://cloud/in/{stream}?key=k")
        var site = BoardFixture { $0.relay.pushes = [rule] }
        #expect(site.set("34020000001", publisher: BoardFixture.session("PSPUB1", .ps)) == [.connect(1)])
        #expect(site.board[1]?.order.url.text == "rtmps://cloud/in/34020000001?key=k")
        #expect(site.board[1]?.order.url.redacted == "rtmps://cloud/in/34020000001?key=***")
    }

    @Test func nothingIsPushedToOrPulledFromOurselves() {
        var back = RelayPushRule()
        back.streamName = "*"
        back.url = RelayTemplate("rtmp://localhost/live/copy_of_{stream}")
        var site = BoardFixture {
            $0.relayPush = .init(enable: true, addrList: ["127.0.0.1:1935"])
            $0.staticRelayPull = .init(enable: true, addr: "localhost:1935")
            $0.relay.pushes = [back]
        }
        #expect(site.set("door", viewers: 1) == [])
        #expect(site.set("door", publisher: BoardFixture.session("RTMPPUBSUB1"), viewers: 1) == [])
    }

    @Test func endedRelaysOfTheAPIAreShownForTenMinutes() throws {
        var site = BoardFixture()
        let url = try #require(RelayURL("rtmp://192.0.2.1/live/door"))
        let policy = site.board.settings.policy(retries: 0)
        let order = site.board.settings.order(.pull, .api, stream: "door", app: "", url: url, policy: policy)
        let (id, actions) = site.board.add(order, RelayedStream(), now: site.now)
        #expect(actions == [.connect(id)])
        #expect(site.board.expectedStreams == ["door"])
        #expect(site.end(id, "refused: no such stream") == [.ended(id, "refused: no such stream")])
        #expect(site.states == ["pull rtmp://192.0.2.1/live/door ended"])
        #expect(site.board.expectedStreams == [] && site.board.living(of: "door").isEmpty)
        site.now = site.now + .minutes(10)
        _ = site.board.advance(to: site.now)
        #expect(site.states == [])
    }

    @Test func thePullOfARelayTakesItsPushAlong() throws {
        var site = BoardFixture()
        let settings = site.board.settings
        let from = try #require(RelayURL("rtmp://192.0.2.1/live/door"))
        let to = try #require(RelayURL("rtmp://192.0.2.2/live/door"))
        var pull = settings.order(.pull, .task, stream: "door", app: "", url: from, policy: settings.policy(retries: 0))
        pull.task = 1
        var push = settings.order(
            .push,
            .task,
            stream: "door",
            app: "",
            url: to,
            policy: settings.policy(linger: .zero)
        )
        push.task = 1
        let first = site.board.add(pull, RelayedStream(), now: site.now).id
        let publisher = BoardFixture.session(pull.sessionID, .rtmpPull, .pull)
        let second = site.board.add(push, RelayedStream(publisher: publisher), now: site.now).id
        #expect(site.end(first, "lost") == [.ended(first, "lost"), .disconnect(second)])
        #expect(site.end(second) == [.ended(second, "the other half of the relay has ended")])
    }

    @Test func theEndOfTheGatewayEndsAll() {
        var site = BoardFixture { $0.staticRelayPull = .init(enable: true, addr: "192.0.2.1:1936") }
        _ = site.set("a", viewers: 1)
        _ = site.set("b", viewers: 1)
        #expect(site.board.stopAll(now: site.now) == [.disconnect(1), .disconnect(2)])
        #expect(site.end(1) == [.ended(1, "the gateway stops")])
    }

    @Test(arguments: [
        ("rtmp://h/live/x", "h", 1935, "live", "x"), ("rtmps://H:4935/a/b/x?k=1", "h", 4935, "a/b", "x"),
        ("rtmp://u:p@h/live/x", "h", 1935, "live", "x"), ("http://h/live/x.flv", "h", 80, "live", "x"),
        ("wss://h:8443/x.FLV?a=b/c", "h", 8443, "", "x"),
        ("rtmp://[2001:db8::1]:1936/l/x", "2001:db8::1", 1936, "l", "x"),
        ("rtsp://h/live/x", "h", 554, "live", "x"),
    ])
    func relayURLs(_ text: String, _ host: String, _ port: Int, _ app: String, _ stream: String) throws {
        let url = try #require(RelayURL(text))
        #expect(url.host == host && url.port == port && url.app == app && url.stream == stream)
    }

    @Test(arguments: [
        "", "door", "rtmp://", "rtmp://h", "rtmp://h/live", "ftp://h/a/b", "http://h/", "rtmp://h:0/a/b",
        "http://h:x/a", "rtmp://h/a b/c",
    ])
    func whatIsNoRelayURL(_ text: String) {
        #expect(RelayURL(text) == nil)
    }

    @Test func relayURLsDoNotPrintTheirSecrets() throws {
        let url = try #require(RelayURL("rtmp://user:hunter2@h/live/x?lal_secret=hunter2"))
        var dumped = ""
        dump(url, to: &dumped)
        #expect(!"\(url) \(String(reflecting: url)) \(url.redacted) \(dumped)".contains("hunter2"))
        let template = RelayTemplate("rtmp://user:hunter2@h/live/{stream}?lal_secret=hunter2")
        #expect(!"\(template)\(JSONTreeEncoder.tree(template).text)".contains("hunter2"))
    }
}

extension StaticRelayPullSection {
    init(enable: Bool, addr: String) {
        self.init()
        self.enable = enable
        self.addr = addr
    }
}

extension RelayPushSection {
    init(enable: Bool, addrList: [String]) {
        self.init()
        self.enable = enable
        self.addrList = addrList
    }
}
