import Gateway
import Testing

@Suite struct ConfigurationTests {
    let folder: TemporaryFolder

    init() throws {
        folder = try TemporaryFolder()
    }

    private func load(_ text: String, environment: [String: String] = [:]) throws -> LoadedConfiguration {
        try GatewayConfiguration.load(file: try folder.write(text, to: "c.json"), environment: environment)
    }

    /// The messages of a configuration that must be refused.
    private func refusal(_ text: String, environment: [String: String] = [:]) throws -> String {
        let error = #expect(throws: ConfigurationError.self) { try load(text, environment: environment) }
        return error?.description ?? ""
    }

    /// Warnings, as the log shows them.
    private func warnings(_ text: String, environment: [String: String] = [:]) throws -> [String] {
        try load(text, environment: environment).problems.filter { $0.severity == .warning }.map(\.description)
    }

    @Test func noFileGivesAWorkingServer() throws {
        let loaded = try GatewayConfiguration.load(file: nil, environment: [:])
        let configuration = loaded.configuration
        #expect(configuration == GatewayConfiguration())
        #expect(configuration.rtmp.enable && configuration.rtmp.addr == ":1935")
        #expect(configuration.httpflv.enable && configuration.defaultHttp.httpListenAddr == ":8080")
        #expect(configuration.httpApi.addr == "127.0.0.1:8083" && configuration.httpApi.addr.isLoopback)
        #expect(configuration.gb28181.enable && configuration.gb28181.localSipPort == 5060)
        #expect(loaded.problems.allSatisfy { $0.severity == .notice })
        #expect(loaded.file == nil)
    }

    @Test func aMissingFileIsAnErrorThatNamesIt() {
        let error = #expect(throws: ConfigurationError.self) {
            try GatewayConfiguration.load(file: "/nowhere/g.json", environment: [:])
        }
        #expect(error?.description.hasPrefix("/nowhere/g.json: cannot be read") == true)
    }

    @Test func lalsShippedFileLoadsAsItIs() throws {
        let loaded = try load(lalsFile)
        let configuration = loaded.configuration
        #expect(configuration.rtmp.addr == ":1935")
        #expect(configuration.rtmp.gopNum == 0)
        #expect(configuration.hls.enable)
        #expect(configuration.relayPush.addrList == ["192.0.2.1:1935"])
        #expect(configuration.log.level == 1)
        #expect(configuration.rtsp.password.value == "pengrl")
        #expect(try configuration.httpApi.permittedAddress() == "127.0.0.1:8083")
        #expect(loaded.problems.filter { $0.severity != .notice } == [])
        let notices = loaded.problems.map(\.path)
        #expect(Set(notices).isSuperset(of: ["pprof.enable", "http_api.addr"]))
        for served in [
            "record.enable_flv", "hls.enable", "httpts.enable", "rtmp.rtmps_enable", "httpflv.enable_https",
            "rtmp.gop_num", "rtsp.enable",
            "rtsp.rtsps_enable", "rtsp.ws_rtsp_enable",
        ] {
            #expect(!notices.contains(served))
        }
    }

    @Test func commentsAndTrailingCommasAreFine() throws {
        let loaded = try load("// hello\n{ rtmp: { 'addr': ':1936', /* why */ }, }")
        #expect(loaded.configuration.rtmp.addr == ":1936")
    }

    @Test func brokenJSONNamesFileAndPlace() throws {
        let message = try refusal("{\n  \"rtmp\": {\n    \"addr\" \":1935\"\n  }\n}")
        #expect(message.contains("c.json: is no JSON"))
        #expect(message.contains("line 3"), "\(message)")
    }

    @Test(arguments: [
        (#"{"rtmp":{"adr":":1"}}"#, "rtmp.adr: unknown key, ignored; did you mean rtmp.addr?"),
        (#"{"rtpm":{"addr":":1"}}"#, "rtpm: unknown key, ignored; did you mean rtmp?"),
        (#"{"httpflv":{"gop_nun":1}}"#, "httpflv.gop_nun: unknown key, ignored; did you mean httpflv.gop_num?"),
        (#"{"media_ip":"192.0.2.1"}"#, "media_ip: unknown key, ignored; did you mean gb28181.media_ip?"),
        (#"{"rtmp":{"xyzzyxyzzy":1}}"#, "rtmp.xyzzyxyzzy: unknown key, ignored"),
    ])
    func anUnknownKeyIsAWarningWithTheNearestKnown(_ text: String, _ warning: String) throws {
        #expect(try warnings(text) == [warning])
    }

    @Test func keysThatBeginWithAHashAreComments() throws {
        #expect(try warnings(##"{"# doc of config":"x","rtmp":{"#enable":3}}"##) == [])
    }

    @Test(arguments: [
        (#"{"rtmp":{"enable":"yes"}}"#, #"rtmp.enable: expected true or false, found a string: "yes""#),
        (#"{"rtmp":{"gop_num":1.5}}"#, "rtmp.gop_num: expected an integer, found a number: 1.5"),
        (#"{"rtmp":{"gop_num":true}}"#, "rtmp.gop_num: expected an integer, found true or false: true"),
        (#"{"rtmp":3}"#, "rtmp: expected an object, found an integer: 3"),
        (#"{"relay_push":{"addr_list":[1]}}"#, "relay_push.addr_list[0]: expected a string, found an integer: 1"),
        (#"[]"#, "the file: expected an object { … }, found a list"),
        (#"{"log":{"level":8}}"#, "log.level: 8 is not allowed; allowed: 0 to 7"),
        (#"{"gb28181":{"local_sip_id":"3402"}}"#, #"gb28181.local_sip_id: "3402" is not allowed; allowed: 20 digits"#),
        (#"{"gb28181":{"media_ip":"cam.local"}}"#, #"gb28181.media_ip: "cam.local" is not allowed; allowed: an IP"#),
        (#"{"rtmp":{"addr":"1935"}}"#, #"rtmp.addr: "1935" is no listen address; allowed: host:port"#),
        (#"{"rtmp":{"addr":":70000"}}"#, #"rtmp.addr: ":70000" is no listen address"#),
        (#"{"rtmp":{"addr":""}}"#, #"rtmp.addr: "" is not allowed; allowed: host:port"#),
        (#"{"http_api":{"addr":"0.0.0.0:8083"}}"#, "http_api.addr: \"0.0.0.0:8083\" can be reached from the network"),
        (#"{"gb28181":{"sip_rtp_port_min":50000,"sip_rtp_port_max":40000}}"#, "gb28181.sip_rtp_port_max: 40000"),
    ])
    func aWrongValueIsAnErrorThatNamesPathValueAndAllowed(_ text: String, _ expected: String) throws {
        #expect(try refusal(text).hasPrefix(expected))
    }

    @Test func everythingThatIsWrongIsToldAtOnce() throws {
        let message = try refusal(#"{"rtmp":{"enable":1},"log":{"level":9},"merge_window_ms":-1}"#)
        #expect(message.split(separator: "\n").count == 3)
    }

    @Test func aListenerThatIsOffNeedsNoAddress() throws {
        #expect(try load(#"{"rtmp":{"enable":false,"addr":""}}"#).configuration.rtmp.addr.isEmpty)
    }

    @Test func theEnvironmentOverridesTheFile() throws {
        let loaded = try load(
            #"{"rtmp":{"addr":":1","enable":true}}"#,
            environment: [
                "GBGATE_RTMP_ADDR": "127.0.0.1:2", "GBGATE_RTMP_ENABLE": "false", "GBGATE_MERGE_WINDOW_MS": "7",
                "GBGATE_RELAY_PUSH_ADDR_LIST": "a:1,b:2", "GBGATE_GB28181_PASSWORD": "pass", "GBGATE_CONFIG": "x",
                "HOME": "/root",
            ]
        )
        let configuration = loaded.configuration
        #expect(configuration.rtmp.addr == "127.0.0.1:2")
        #expect(!configuration.rtmp.enable)
        #expect(configuration.mergeWindowMs == 7)
        #expect(configuration.relayPush.addrList == ["a:1", "b:2"])
        #expect(configuration.gb28181.password.value == "pass")
        #expect(loaded.problems == [])
    }

    @Test func theEnvironmentIsCheckedToo() throws {
        #expect(
            try warnings("{}", environment: ["GBGATE_RTMP_ADR": ":1"])
                == ["GBGATE_RTMP_ADR: no key of the configuration has this name; did you mean GBGATE_RTMP_ADDR?"]
        )
        #expect(
            try refusal("{}", environment: ["GBGATE_LOG_LEVEL": "loud"])
                == #"GBGATE_LOG_LEVEL: expected an integer, found "loud""#
        )
    }

    @Test func environmentNamesAreUnique() throws {
        let names = try ConfigurationSchema.gateway().keys.map(\.environmentName)
        #expect(Set(names).count == names.count)
    }

    @Test func secretsNeverShow() throws {
        let loaded = try load(#"{"gb28181":{"password":"hunter2"},"http_api":{"token":"hunter2"}}"#)
        var dumped = ""
        dump(loaded.configuration, to: &dumped)
        let texts = [
            dumped, "\(loaded.configuration)", String(reflecting: loaded.configuration),
            JSONTreeEncoder.tree(loaded.configuration).text, "\(loaded.problems)",
            try refusal(#"{"gb28181":{"password":7777777}}"#), try refusal(#"{"http_api":{"token":[7777777]}}"#),
        ]
        for text in texts {
            #expect(!text.contains("hunter2") && !text.contains("7777777"))
        }
        #expect(loaded.configuration.gb28181.password.value == "hunter2")
    }

    @Test func everyPasswordTokenAndKeyIsASecret() throws {
        let secret = try ConfigurationSchema.gateway().keys.filter(\.isSecret).map(\.path)
        #expect(
            Set(secret) == [
                "rtsp.password", "gb28181.password", "http_api.token", "simple_auth.key",
                "simple_auth.dangerous_lal_secret", "hls.sub_session_hash_key",
            ]
        )
    }

    @Test func secretsCompareWhole() {
        let secret = Secret("abc")
        #expect(secret.matches("abc"))
        for wrong in ["", "ab", "abcd", "abd", "ABC"] { #expect(!secret.matches(wrong)) }
        #expect(Secret("").matches(""))
    }

    @Test func aSecretWithoutAKeyIsAWarning() throws {
        let found = try warnings(#"{"simple_auth":{"pub_rtmp_enable":true}}"#)
        #expect(found == ["simple_auth.key: empty: the md5 of a stream's name alone opens it; set a key"])
        #expect(try warnings(#"{"simple_auth":{"pub_rtmp_enable":true,"key":"k"}}"#) == [])
    }

    @Test func rulesOfRelaysAreObjectsInAList() throws {
        let loaded = try load(
            #"""
            {"relay":{"pulls":[{"stream_name":"gate","url":"rtmp://u:hunter2@h/live/gate","on_demand":false},
            {"stream_name":"cam*","url":"https://h/{app}/{stream}.flv?k=hunter2"}],
            "pushes":[{"stream_name":"*","url":"rtmps://c/in/{stream}"}]}}
            """#
        )
        let relay = loaded.configuration.relay
        #expect(relay.pulls.map(\.streamName) == ["gate", "cam*"] && relay.pulls.map(\.onDemand) == [false, true])
        #expect(relay.pushes.map(\.streamName) == ["*"])
        #expect(loaded.problems.filter { $0.severity != .notice } == [])
        var encoder = JSONTreeEncoder(keys: .snakeCase)
        #expect(!(try encoder.encode(loaded.configuration).text.contains("hunter2")))
    }

    @Test(arguments: [
        (#"{"relay":{"pulls":[{"stream_name":"a","url":"srt://h/a/b"}]}}"#, "relay.pulls[0].url: \"srt://h/a/b\" is"),
        (#"{"rtsp":{"auth_enable":true}}"#, "rtsp.auth_enable: true without rtsp.username and rtsp.password"),
        (
            #"{"rtsp":{"multicast_enable":true,"multicast_range":"10.0.0.0/8"}}"#,
            "rtsp.multicast_range: \"10.0.0.0/8\" is"
        ),
        (#"{"rtsp":{"auth_method":3}}"#, "rtsp.auth_method: 3 is not allowed; allowed: 0 to 2"),
        (#"{"relay":{"pulls":[{"url":"rtmp://h/a/b"}]}}"#, "relay.pulls[0].stream_name: \"\" is not allowed"),
        (
            #"{"relay":{"pulls":[{"stream_name":"a*","url":"rtmp://h/a/b","on_demand":false}]}}"#,
            "relay.pulls[0].stream"
        ),
        (#"{"relay":{"pushes":[{"stream_name":"a","url":"http://h/a/b.flv"}]}}"#, "relay.pushes[0].url: "),
        (#"{"relay":{"pushes":[3]}}"#, "relay.pushes[0]: expected an object, found an integer: 3"),
        (#"{"relay":{"pushes":[{"stream_name":"a","url":3}]}}"#, "relay.pushes[0].url: expected a string"),
        (#"{"relay_push":{"addr_list":["u:p@h:1"]}}"#, "relay_push.addr_list[0]: "),
        (#"{"static_relay_pull":{"enable":true,"addr":"h/x"}}"#, "static_relay_pull.addr: \"h/x\" is not allowed"),
        (
            #"{"publish":{"on_conflict":"both"}}"#,
            #"publish.on_conflict: "both" is not allowed; allowed: "reject", "take_over""#
        ),
        (
            #"{"rtmp":{"unknown_stream":"drop"}}"#,
            #"rtmp.unknown_stream: "drop" is not allowed; allowed: "wait", "refuse""#
        ),
        (#"{"relay":{"retry_min_ms":5000,"retry_max_ms":1000}}"#, "relay.retry_max_ms: 1000 is not allowed"),
    ])
    func relaysThatCannotBeAreErrors(_ text: String, _ expected: String) throws {
        let message = try refusal(text)
        #expect(message.hasPrefix(expected), "\(message)")
    }

    @Test func anUnknownMemberOfARuleIsAWarning() throws {
        let found = try warnings(#"{"relay":{"pushes":[{"stream_name":"a","url":"rtmp://h/a/b","on_demnd":true}]}}"#)
        #expect(found.count == 1 && found[0].hasPrefix("relay.pushes[0].on_demnd: unknown key, ignored"))
    }

    @Test func warningsAreToldBesideErrors() throws {
        let error = #expect(throws: ConfigurationError.self) { try load(#"{"rtpm":{},"log":{"level":9}}"#) }
        #expect(error?.problems.map(\.severity).contains(.warning) == true)
        #expect(error?.description == "log.level: 9 is not allowed; allowed: 0 to 7")
    }

    @Test func listsOfObjectsAreNotForTheEnvironment() throws {
        let message = try refusal("{}", environment: ["GBGATE_RELAY_PULLS": "x"])
        #expect(message.hasPrefix("GBGATE_RELAY_PULLS: a list of objects cannot be set here"))
    }

    @Test(arguments: [("live", "/live/"), ("/live", "/live/"), ("", "/"), ("/", "/"), ("//a/b", "/a/b/")])
    func patternsGetTheirSlashes(_ given: String, _ repaired: String) throws {
        #expect(try load(#"{"httpflv":{"url_pattern":"\#(given)"}}"#).configuration.httpflv.urlPattern == repaired)
    }

    @Test(arguments: [":1935", "127.0.0.1:1935", "[::1]:80", "localhost:0", "[::]:65535"])
    func listenAddressesAreGos(_ text: String) {
        #expect(ListenAddress(text)?.description == text)
    }

    @Test(arguments: ["1935", ":", ":x", ":-1", ":65536", "::1:80", "[::1]", "[]:80", "a:b:1", ":+5"])
    func malformedListenAddressesAreRefused(_ text: String) {
        #expect(ListenAddress(text) == nil)
    }

    @Test func theFirstFileThatExistsIsTaken() throws {
        #expect(GatewayConfiguration.locate(in: folder.path) == nil)
        try folder.write("{}", to: "lalserver.conf.json")
        #expect(GatewayConfiguration.locate(in: folder.path) == "\(folder.path)/lalserver.conf.json")
        try folder.write("{}", to: "gbgate.conf.json")
        #expect(GatewayConfiguration.locate(in: folder.path) == "\(folder.path)/gbgate.conf.json")
    }

    @Test func deepNestingIsRefusedNotFatal() throws {
        let deep = String(repeating: "[", count: 400) + String(repeating: "]", count: 400)
        #expect(try refusal(#"{"rtmp":\#(deep)}"#).contains("nested deeper"))
    }
}

/// The file that lal ships: its keys and values, but for the address of a relay.
let lalsFile = #"""
    {
      "# doc of config": "https://pengrl.com/lal/#/ConfigBrief",
      "conf_version": "v0.4.1",
      "rtmp": {"enable": true, "addr": ":1935", "rtmps_enable": true, "rtmps_addr": ":4935",
        "rtmps_cert_file": "./conf/cert.pem", "rtmps_key_file": "./conf/key.pem", "gop_num": 0,
        "single_gop_max_frame_num": 0, "merge_write_size": 0},
      "in_session": {"add_dummy_audio_enable": false, "add_dummy_audio_wait_audio_ms": 150},
      "default_http": {"http_listen_addr": ":8080", "https_listen_addr": ":4433",
        "https_cert_file": "./conf/cert.pem", "https_key_file": "./conf/key.pem"},
      "httpflv": {"enable": true, "enable_https": true, "url_pattern": "/", "gop_num": 0,
        "single_gop_max_frame_num": 0},
      "hls": {"enable": true, "enable_https": true, "url_pattern": "/hls/", "out_path": "./lal_record/hls/",
        "fragment_duration_ms": 3000, "fragment_num": 6, "delete_threshold": 6, "cleanup_mode": 1,
        "use_memory_as_disk_flag": false, "sub_session_timeout_ms": 30000, "sub_session_hash_key": ""},
      "httpts": {"enable": true, "enable_https": true, "url_pattern": "/", "gop_num": 0,
        "single_gop_max_frame_num": 0},
      "rtsp": {"enable": true, "addr": ":5544", "rtsps_enable": true, "rtsps_addr": ":5322",
        "rtsps_cert_file": "./conf/cert.pem", "rtsps_key_file": "./conf/key.pem", "out_wait_key_frame_flag": true,
        "ws_rtsp_enable": true, "ws_rtsp_addr": ":5566", "auth_enable": false, "auth_method": 1,
        "username": "q191201771", "password": "pengrl"},
      "record": {"enable_flv": false, "flv_out_path": "./lal_record/flv/", "enable_mpegts": false,
        "mpegts_out_path": "./lal_record/mpegts"},
      "relay_push": {"enable": false, "addr_list": ["192.0.2.1:1935"]},
      "static_relay_pull": {"enable": false, "addr": ""},
      "http_api": {"enable": true, "addr": ":8083"},
      "server_id": "1",
      "http_notify": {"enable": false, "update_interval_sec": 5,
        "on_server_start": "http://127.0.0.1:10101/on_server_start", "on_update": "", "on_pub_start": "",
        "on_pub_stop": "", "on_sub_start": "", "on_sub_stop": "", "on_relay_pull_start": "",
        "on_relay_pull_stop": "", "on_rtmp_connect": "", "on_hls_make_ts": ""},
      "simple_auth": {"key": "q191201771", "dangerous_lal_secret": "pengrl", "pub_rtmp_enable": false,
        "sub_rtmp_enable": false, "sub_httpflv_enable": false, "sub_httpts_enable": false,
        "pub_rtsp_enable": false, "sub_rtsp_enable": false, "hls_m3u8_enable": false},
      "pprof": {"enable": true, "addr": ":8084"},
      "log": {"level": 1, "filename": "./logs/lalserver.log", "is_to_stdout": true, "is_rotate_daily": true,
        "short_file_flag": true, "timestamp_flag": true, "timestamp_with_ms_flag": true, "level_flag": true,
        "assert_behavior": 1},
      "debug": {"log_group_interval_sec": 30, "log_group_max_group_num": 10, "log_group_max_sub_num_per_group": 10}
    }
    """#
