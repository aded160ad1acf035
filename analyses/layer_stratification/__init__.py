"""At which layer does each task become decodable?"""
