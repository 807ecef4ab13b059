import Gateway
import GatewayAPI
import Logging
import Testing

/// Asks a fake gateway through the API's own types.
struct APIFixture {
    let control = FakeControl()
    let answerer: APIAnswerer

    init(token: String = "") {
        answerer = APIAnswerer(
            control: control,
            token: Secret(token),
            logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
        )
    }

    func get(_ path: String, _ query: [(name: String, value: String)] = [], auth: String? = nil) async -> APIResponse {
        await answerer.answer(APIRequest(path: path, query: query, authorization: auth))
    }

    func post(_ path: String, _ body: String) async -> String {
        await answerer.answer(APIRequest(method: "POST", path: path, body: Array(body.utf8))).json.text
    }
}

@Suite struct APIAnswererTests {
    let api = APIFixture()

    static let emptyStart = #""data":{"stream_name":"","session_id":"","port":0}"#
    static let emptyStop = #""data":{"stream_name":"","session_id":""}"#

    @Test func lalInfoHasLalsMembersInLalsOrder() async {
        let answer = await api.get("/api/stat/lal_info")
        #expect(answer.status == 200)
        #expect(
            answer.json.text
                == #"{"error_code":0,"desp":"succ","data":{"server_id":"1","bin_info":"gbgate 0.1.0","#
                + #""lal_version":"v0.37.4","api_version":"v0.4.9","notify_version":"v0.2.5","WebUiVersion":"v0.0.3","#
                + #""start_time":"2026-11-21 02:33:04.279 Z UTC"}}"#
        )
    }

    @Test func groupsWithoutViewersHaveNullSubsAndEmptyObjects() async {
        let nobody =
            #"{"session_id":"","protocol":"","base_type":"","remote_addr":"","start_time":"","read_bytes_sum":0,"#
            + #""wrote_bytes_sum":0,"bitrate_kbits":0,"read_bitrate_kbits":0,"write_bitrate_kbits":0}"#
        let group =
            #"{"stream_name":"waiting","app_name":"live","audio_codec":"","video_codec":"","video_width":0,"#
            + #""video_height":0,"pub":\#(nobody),"subs":null,"pull":\#(nobody),"in_frame_per_sec":[]}"#
        #expect(
            await api.get("/api/stat/all_group").json.text
                == #"{"error_code":0,"desp":"succ","data":{"groups":[\#(group)]}}"#
        )
    }

    @Test func noGroupAtAllIsNull() {
        #expect(JSONTreeEncoder.tree(AllGroups(groups: [])).text == #"{"groups":null}"#)
        #expect(JSONTreeEncoder.tree(GB28181Devices(devices: [])).text == #"{"devices":[]}"#)
    }

    @Test func groupRefusesAsLalDoes() async {
        #expect(
            await api.get("/api/stat/group", [("stream_name", "nope")]).json.text
                == #"{"error_code":1001,"desp":"group not found","data":null}"#
        )
        let missing = await api.get("/api/stat/group").json
        #expect(missing.object?["error_code"] == .integer(1002))
        #expect(missing.object?["desp"] == .string("param missing"))
        #expect(missing.object?["data"] == .null)
    }

    @Test func unknownPathIsLals404WithStatus200() async {
        for path in ["/api/stat/nope", "/", "/api/ctrl/kick_session/"] {
            let answer = await api.get(path)
            #expect(answer.status == 200)
            #expect(
                answer.json.text == #"{"error_code":404,"desp":"page not found, check this document out: lal"}"#
            )
        }
    }

    @Test(arguments: [
        "", "{", "[]", "3", #""text""#, "{}", #"{"stream_name":"test110"}"#, #"{"stream_name":1,"session_id":"x"}"#,
    ])
    func badBodiesMissParameters(_ body: String) async {
        let answer = await api.post("/api/ctrl/kick_session", body)
        #expect(answer.hasPrefix(#"{"error_code":1002,"desp":"param missing","hint":""#), "\(answer)")
        #expect(api.control.asked.isEmpty)
    }

    @Test func kickHasNoData() async {
        let kick = "/api/ctrl/kick_session"
        #expect(
            await api.post(kick, #"{"stream_name":"test110","session_id":"FLVPUBSUB2"}"#)
                == #"{"error_code":0,"desp":"succ"}"#
        )
        #expect(
            await api.post(kick, #"{"stream_name":"test110","session_id":"FLVPUBSUB9"}"#)
                == #"{"error_code":1003,"desp":"session not found"}"#
        )
        #expect(api.control.asked == ["kick test110 FLVPUBSUB2", "kick test110 FLVPUBSUB9"])
    }

    @Test func startRTPPubTakesLalsDefaults() async {
        let answer = await api.post("/api/ctrl/start_rtp_pub", #"{"stream_name":"ps1"}"#)
        #expect(
            answer
                == #"{"error_code":0,"desp":"succ","data":{"stream_name":"ps1","session_id":"PSPUB1","port":30000}}"#
        )
        #expect(api.control.asked == ["start ps1 0 60000 0"])
    }

    @Test func startRTPPubRefusalsKeepTheShape() async {
        #expect(
            await api.post("/api/ctrl/start_rtp_pub", #"{"stream_name":"ps1","port":70000}"#)
                == #"{"error_code":2002,"desp":"address 70000: invalid port",\#(Self.emptyStart)}"#
        )
        #expect(
            await api.post("/api/ctrl/start_rtp_pub", #"{"stream_name":"ps1","port":30002}"#)
                == #"{"error_code":2002,"desp":"listen udp :30002: bind: address already in use",\#(Self.emptyStart)}"#
        )
        let wrong = await api.post("/api/ctrl/start_rtp_pub", #"{"stream_name":"ps1","port":"30000"}"#)
        #expect(wrong.contains(#""hint":"port is a string, expected an integer""#))
    }

    @Test(arguments: ["../../victim", "a/../b", "..", "a\\u0000b", "line\\nbreak"])
    func streamNamesThatReachForFilesAreRefused(_ name: String) async {
        let answer = await api.post("/api/ctrl/start_rtp_pub", #"{"stream_name":"\#(name)"}"#)
        #expect(answer.contains(#""error_code":1002"#))
        #expect(api.control.asked.isEmpty)
    }

    @Test func stopRTPPubTakesANameOrASession() async {
        _ = await api.get("/api/ctrl/stop_rtp_pub", [("stream_name", "ps1")])
        _ = await api.post("/api/ctrl/stop_rtp_pub", #"{"session_id":"PSPUB1"}"#)
        #expect(api.control.asked == [#"stop stream("ps1")"#, #"stop session("PSPUB1")"#])
    }

    @Test(arguments: ["", "off", "critical", "Info", "2"]) func otherLogLevelsAreRefused(_ level: String) async {
        let answer = await api.post("/api/ctrl/log_level", #"{"level":"\#(level)"}"#)
        #expect(answer.hasPrefix(#"{"error_code":1002,"desp":"param missing","data":{"log_level":""}"#), "\(answer)")
        #expect(answer.contains("expected trace, debug, info, notice, warning or error"))
    }

    @Test(arguments: ["{}", #"{"device_id":7}"#, #"{"device_id":""}"#, #"{"device_id":"a b"}"#])
    func aCatalogNeedsADevice(_ body: String) async {
        #expect(await api.post("/api/ctrl/gb28181_catalog", body).hasPrefix(#"{"error_code":1002,"#))
    }

    @Test func theCatalogOfAnUnknownDeviceIs3001() async {
        let answer = await api.post("/api/ctrl/gb28181_catalog", #"{"device_id":"34020000001320000009"}"#)
        #expect(answer == #"{"error_code":3001,"desp":"device not found: 34020000001320000009"}"#)
    }

    @Test func inviteDefaultsTheStreamName() async {
        let answer = await api.post(
            "/api/ctrl/gb28181_invite",
            #"{"device_id":"34020000001320000001","channel_id":"34020000001320000002"}"#
        )
        #expect(answer.contains(#""stream_name":"34020000001320000001_34020000001320000002","session_id":"PSPUB2""#))
    }

    @Test("R-53 the camera's refusal keeps its SIP status and phrase") func inviteRefusal() async {
        let answer = await api.post(
            "/api/ctrl/gb28181_invite",
            #"{"device_id":"34020000001320000001","channel_id":"34020000001320000002","is_tcp_flag":1}"#
        )
        #expect(
            answer
                == #"{"error_code":3002,"desp":"invite fail: invite 34020000001320000002: 488 Not Acceptable Here "#
                + #"(offered TCP passive to 192.0.2.64:5060; set is_tcp_flag 0)",\#(Self.emptyStart)}"#
        )
    }

    @Test func inviteOfAnUnknownDeviceIs3001() async {
        let answer = await api.post(
            "/api/ctrl/gb28181_invite",
            #"{"device_id":"34020000001320000009","channel_id":"34020000001320000002"}"#
        )
        #expect(
            answer == #"{"error_code":3001,"desp":"device not found: 34020000001320000009",\#(Self.emptyStart)}"#
        )
    }

    @Test(arguments: [
        #"{"device_id":"","channel_id":"34020000001320000002"}"#,
        #"{"device_id":"34020000001320000001"}"#,
        #"{"device_id":"34020000001320000001","channel_id":"a b"}"#,
        #"{"device_id":"34020000001320000001","channel_id":"34020000001320000002","is_tcp_flag":3}"#,
        #"{"device_id":"34020000001320000001","channel_id":"34020000001320000002","port":-1}"#,
        #"{"device_id":"34020000001320000001","channel_id":"34020000001320000002","stream_number":10}"#,
        #"{"device_id":"34020000001320000001","channel_id":"34020000001320000002","auto_bye_after_no_out_ms":0}"#,
    ])
    func invitesWithBadParametersNeverReachTheGateway(_ body: String) async {
        #expect(await api.post("/api/ctrl/gb28181_invite", body).contains(#""error_code":1002"#))
        #expect(api.control.asked.isEmpty)
    }

    @Test func subStreamsHaveNamesOfTheirOwn() async {
        let ids = #""device_id":"34020000001320000001","channel_id":"34020000001320000002""#
        for more in ["", #","stream_number":0"#, #","stream_number":1"#, #","stream_number":1,"stream_name":"gate""#] {
            _ = await api.post("/api/ctrl/gb28181_invite", "{\(ids)\(more)}")
        }
        let subject = "invite 34020000001320000001 34020000001320000002"
        let name = "34020000001320000001_34020000001320000002"
        #expect(
            api.control.asked == [
                "\(subject) \(name) udp 0", "\(subject) \(name) udp 0", "\(subject) \(name)_1 udp 0",
                "\(subject) gate udp 0",
            ]
        )
    }

    @Test func byeTakesTheStreamNameWhenGiven() async {
        let ids = #""device_id":"34020000001320000001","channel_id":"34020000001320000002""#
        _ = await api.post("/api/ctrl/gb28181_bye", "{\(ids)}")
        _ = await api.post("/api/ctrl/gb28181_bye", #"{\#(ids),"stream_name":"gate"}"#)
        #expect(
            api.control.asked == [
                "bye 34020000001320000001 34020000001320000002 -",
                "bye 34020000001320000001 34020000001320000002 gate",
            ]
        )
        #expect(await api.post("/api/ctrl/gb28181_bye", "{}").contains(Self.emptyStop))
    }

    @Test func anUnexpectedErrorIsA500ThatTellsNothing() async {
        let request = APIRequest(
            method: "POST",
            path: "/api/ctrl/gb28181_invite",
            body: Array(#"{"device_id":"34020000001320000001","channel_id":"34020000001320000001"}"#.utf8)
        )
        let answer = await api.answerer.answer(request)
        #expect(answer.status == 500)
        #expect(answer.json.object?["desp"] == .string("internal error"))
        #expect(!answer.json.text.contains("FakeFailure"))
    }

    @Test func theTokenIsAskedOnEveryPath() async {
        let guarded = APIFixture(token: "s3cret")
        for path in APIAnswerer.paths + ["/nope"] {
            let answer = await guarded.get(path)
            #expect(answer.status == 401)
            #expect(answer.json.object?["error_code"] == .integer(401))
            #expect(answer.json.text.contains("Bearer"))
        }
        #expect(guarded.control.asked.isEmpty)
    }

    @Test func theTokenIsTakenFromHeaderOrQuery() async {
        let guarded = APIFixture(token: "s3cret")
        let info = "/api/stat/lal_info"
        #expect(await guarded.get(info, auth: "Bearer s3cret").status == 200)
        #expect(await guarded.get(info, auth: "bearer s3cret").status == 200)
        #expect(await guarded.get(info, [("token", "s3cret")]).status == 200)
        for wrong in ["Bearer s3cre", "Bearer s3cretx", "Bearer ", "Bearer", "Basic s3cret", "s3cret", ""] {
            #expect(await guarded.get(info, auth: wrong).status == 401, "\(wrong)")
        }
        #expect(await guarded.get(info, [("token", "")]).status == 401)
    }

    @Test func aBrowsersPreflightDoesNothing() async {
        let preflight = APIRequest(method: "OPTIONS", path: "/api/ctrl/stop_rtp_pub", isPreflight: true)
        #expect(await APIFixture(token: "s3cret").answerer.answer(preflight).status == 200)
        #expect(api.control.asked.isEmpty)
    }
}
