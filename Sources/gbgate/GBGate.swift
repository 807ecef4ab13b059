@main
struct GBGate {
    static func main() {}
}
